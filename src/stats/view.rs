//! The parts of a node that statistics show.

use super::{ClassCounts, Counter, NodeCounters, Prefixes, WorkerCounters};
use crate::config::{Config, Tuning};
use crate::store::{Now, Store};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct NodeView<'n> {
    /// The configuration of the node.
    pub config: &'n Config,
    /// Its items.
    pub store: &'n Store,
    /// The counters of each worker.
    pub workers: &'n [WorkerCounters],
    /// The counters of the node.
    pub counters: &'n NodeCounters,
    /// The counters of `stats detail`.
    pub prefixes: &'n Prefixes,
    /// The time of the command.
    pub now: Now,
    /// When the node started, on the boot-time clock.
    pub started_boot_ms: u64,
    /// The present verbosity.
    pub verbosity: u32,
    /// When the certificates were last read, on the boot-time clock; `None` without TLS.
    pub tls_refreshed_boot_ms: Option<u64>,
    /// The present settings that clients may change.
    pub tuning: Tuning,
    /// The number of crawls and dumps that clients have started.
    pub crawls: u64,
    /// Whether one is running.
    pub is_crawling: bool,
}

impl NodeView<'_> {
    /// A counter, summed over the workers.
    pub(super) fn sum(&self, counter: impl Fn(&WorkerCounters) -> &Counter) -> u64 {
        let counts = self.workers.iter().map(|worker| counter(worker).get());
        counts.sum()
    }

    /// A counter of every class, summed over classes and workers.
    pub(super) fn sum_of_classes(&self, counter: impl Fn(&ClassCounts) -> &Counter) -> u64 {
        let workers = self.workers.iter();
        let classes = workers.flat_map(|worker| worker.by_class.each());
        classes.map(|class| counter(class).get()).sum()
    }

    /// A counter of one class, summed over the workers.
    pub(super) fn sum_of_class(
        &self,
        class: u8,
        counter: impl Fn(&ClassCounts) -> &Counter,
    ) -> u64 {
        self.sum(|worker| counter(worker.class(class)))
    }

    /// Whether to print the keys of memcached's HOT, WARM and COLD.
    pub(super) fn has_segments(&self) -> bool {
        self.tuning.lru.maintainer
    }

    /// Whether to print the keys of memcached's TEMP.
    pub(super) fn has_temp_lru(&self) -> bool {
        self.tuning.lru.temporary
    }

    /// How long the node has been running.
    pub(super) fn uptime_ms(&self) -> u64 {
        self.now.boot_ms.saturating_sub(self.started_boot_ms)
    }
}
