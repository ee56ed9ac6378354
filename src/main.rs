//! memtwin
fn main() {}
