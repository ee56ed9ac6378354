//! How the two nodes of a pair keep each other's table: the link's frames and its state machine.

pub mod handover;
pub mod key;
pub mod life;
pub mod link;
pub mod peer;
#[cfg(test)]
mod simulation;
pub mod tls;
pub mod wire;
