//! `stats` and its sub-commands.

use super::{
    ClassCounts, Counter, NodeCounters, Prefixes, WorkerCounters, general, items, reset, settings,
    slabs,
};
use crate::config::{Config, Tuning};
use crate::protocol::text::reply;
use crate::store::{Now, Store};

/// The parts of a node that statistics show.
#[derive(Clone, Debug)]
pub struct NodeView<'n> {
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
        self.workers
            .iter()
            .map(|worker| counter(worker).get())
            .sum()
    }

    /// A counter of every class, summed over classes and workers.
    pub(super) fn sum_of_classes(&self, counter: impl Fn(&ClassCounts) -> &Counter) -> u64 {
        let classes = self
            .workers
            .iter()
            .flat_map(|worker| worker.by_class.each());
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

/// A function that prints rows.
type Print<'n> = dyn Fn(&mut Vec<u8>) + 'n;

/// Sources of statistics outside of this module.
#[allow(
    missing_debug_implementations,
    reason = "functions have nothing to show"
)]
pub struct StatSources<'n> {
    /// The rows of `stats replication`.
    pub replication: &'n Print<'n>,
    /// The rows of `stats conns`.
    pub connections: &'n Print<'n>,
}

/// Answers `stats <args>`.
///
/// As in memcached, the beginning of a word is enough: `stats res` and `stats r` reset, too.
pub fn answer(view: &NodeView<'_>, others: &StatSources<'_>, args: &[&[u8]], out: &mut Vec<u8>) {
    match args.first().copied() {
        None => general::print(view, out),
        Some(word) if b"reset".starts_with(word) => {
            reset::reset(view);
            return reply::line(out, "RESET");
        }
        Some(word) if b"detail".starts_with(word) => return detail(view, args, out),
        Some(word) if b"settings".starts_with(word) => settings::print(view, out),
        Some(b"items") => items::print(view, out),
        Some(b"slabs") => slabs::print(view, out),
        Some(b"sizes") => sizes(view, out),
        Some(word) if b"conns".starts_with(word) => (others.connections)(out),
        // There is no external storage. As in memcached without it, there are no rows.
        Some(word) if b"extstore".starts_with(word) => {}
        Some(b"replication") => (others.replication)(out),
        Some(_) => return reply::line(out, "ERROR"),
    }
    out.extend_from_slice(reply::END);
}

/// `stats detail on|off|dump`; the beginning of a word is enough here, too.
fn detail(view: &NodeView<'_>, args: &[&[u8]], out: &mut Vec<u8>) {
    if !view.config.client.dumps {
        return reply::line(out, "CLIENT_ERROR stats detail not allowed");
    }
    match args.get(1).copied() {
        Some(word) if b"on".starts_with(word) => view.prefixes.turn(true),
        Some(word) if b"off".starts_with(word) => view.prefixes.turn(false),
        Some(word) if b"dump".starts_with(word) => return view.prefixes.dump(out),
        _ => return reply::line(out, "CLIENT_ERROR usage: stats detail on|off|dump"),
    }
    reply::line(out, "OK");
}

/// `stats sizes`: the number of items of each size, in steps of 32 bytes.
fn sizes(view: &NodeView<'_>, out: &mut Vec<u8>) {
    match view.store.classes().sizes() {
        None => reply::stat(out, "sizes_status", "disabled"),
        Some(sizes) => {
            for (bytes, items) in sizes {
                reply::stat(out, &bytes.to_string(), items);
            }
        }
    }
}
