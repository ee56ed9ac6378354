//! memtwin
pub mod command;
pub mod limits;
pub mod protocol;
pub mod stats;
pub mod store;
