//! The sources of the server, and what they import.

#[path = "../../../../src/replication/bucket_set.rs"]
mod bucket_set;
#[path = "../../../../src/replication/change_queue/mod.rs"]
pub mod change_queue;
pub mod link;
pub mod sync;
