//! Counters, and what `stats` prints of them. Reads everything, changes nothing but on `reset`.
//!
//! The keys and their order are memcached 1.6.45's, whether or not the thing they name exists here:
//! a key that an exporter knows is never missing. What each prints is told in COMPATIBILITY.md.

mod counters;
mod general;
mod items;
mod prefixes;
mod reset;
mod settings;
mod slabs;
#[cfg(test)]
mod tests;
mod view;

pub use counters::{ClassCounts, Counter, NodeCounters, WorkerCounters};
pub use prefixes::Prefixes;
pub use view::{NodeView, StatSources, answer};
