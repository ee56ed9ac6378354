//! memtwin
pub mod cli;
pub mod command;
pub mod config;
pub mod limits;
pub mod protocol;
pub mod replication;
pub mod server;
pub mod stats;
pub mod store;
