//! How the two nodes of a pair keep each other's table: the link's frames and its state machine.

mod asked_clients;
mod bucket_set;
pub mod change_queue;
pub mod key;
pub mod link;
pub mod runner;
#[cfg(test)]
mod simulation;
pub mod startup;
mod sync;
pub mod tls;
pub mod wire;
