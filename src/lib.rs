//! memtwin
pub mod limits;
pub mod store;
