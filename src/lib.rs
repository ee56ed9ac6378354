//! memtwin
pub mod boot;
pub mod cli;
pub mod command;
pub mod config;
pub mod limits;
pub mod logs;
pub mod pair;
pub mod privileges;
pub mod protocol;
pub mod replication;
pub mod server;
pub mod stats;
pub mod store;
