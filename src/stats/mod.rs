//! Counters, and what `stats` prints of them. Reads everything, changes nothing.

mod counters;

pub use counters::{Counter, NodeCounters, WorkerCounters};
