//! memtwin
pub mod store;
