//! memtwin
pub mod cli;
pub mod command;
pub mod config;
pub mod limits;
pub mod protocol;
pub mod stats;
pub mod store;
