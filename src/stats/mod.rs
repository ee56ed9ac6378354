//! Counters, and the output of `stats`. It only reads the node, except for `stats reset`.
//!
//! Keys and their order are those of memcached 1.6.45, even for things that do not exist here, so
//! that exporters find every key. COMPATIBILITY.md says what each prints.

mod answer;
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

pub(crate) use answer::{StatSources, answer};
pub(crate) use counters::{ClassCounts, Counter, NodeCounters, WorkerCounters};
pub(crate) use prefixes::Prefixes;
pub(crate) use view::NodeView;
