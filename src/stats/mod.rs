//! Counters, and what `stats` prints of them. Reads everything, changes nothing but on `reset`.

mod counters;
mod general;
mod view;

pub use counters::{Counter, NodeCounters, WorkerCounters};
pub use view::{NodeView, answer};
