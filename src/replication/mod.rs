//! How the two nodes of a pair keep each other's table: the link's frames and its state machine.

pub mod link;
#[cfg(test)]
mod simulation;
pub mod wire;
