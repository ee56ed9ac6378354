//! What all threads of a running node share, and its own threads: housekeeping and `watch`.

pub(crate) mod admin;
pub(crate) mod connections;
pub(crate) mod endpoint;
pub(crate) mod housekeeping;
mod state;
pub(crate) mod watch;

pub use state::{Node, ReplicationStats};
