//! `stats` and its sub-commands.

use super::{Counter, NodeCounters, WorkerCounters, general};
use crate::config::Config;
use crate::protocol::text::reply;
use crate::store::{Now, Store};

/// Everything statistics are made of.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'n> {
    /// What the node was started with.
    pub config: &'n Config,
    /// Its items.
    pub store: &'n Store,
    /// What each worker counted.
    pub workers: &'n [WorkerCounters],
    /// What the node counted beside them.
    pub counters: &'n NodeCounters,
    /// The moment of the question.
    pub now: Now,
    /// When the node started, on the boot-time clock.
    pub started_boot_ms: u64,
    /// The present verbosity.
    pub verbosity: u32,
}

impl NodeView<'_> {
    /// A counter, summed over the workers.
    pub(super) fn sum(&self, counter: impl Fn(&WorkerCounters) -> &Counter) -> u64 {
        self.workers
            .iter()
            .map(|worker| counter(worker).get())
            .sum()
    }
}

/// Answers `stats <args>`. `replication` prints the lines of `stats replication`.
pub fn answer(
    view: &NodeView<'_>,
    replication: &dyn Fn(&mut Vec<u8>),
    args: &[&[u8]],
    out: &mut Vec<u8>,
) {
    match args.first().copied() {
        None => general::print(view, out),
        Some(b"replication") => replication(out),
        Some(_) => return reply::line(out, "ERROR"),
    }
    out.extend_from_slice(reply::END);
}
