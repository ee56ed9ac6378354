//! `stats` and its sub-commands.

use super::{
    ClassCounts, Counter, NodeCounters, Prefixes, WorkerCounters, general, items, reset, settings,
    slabs,
};
use crate::config::{Config, Tuning};
use crate::protocol::text::reply;
use crate::store::{Now, Store};

/// Everything statistics are made of.
#[derive(Clone, Debug)]
pub struct NodeView<'n> {
    /// What the node was started with.
    pub config: &'n Config,
    /// Its items.
    pub store: &'n Store,
    /// What each worker counted.
    pub workers: &'n [WorkerCounters],
    /// What the node counted beside them.
    pub counters: &'n NodeCounters,
    /// What `stats detail` counts.
    pub prefixes: &'n Prefixes,
    /// The moment of the question.
    pub now: Now,
    /// When the node started, on the boot-time clock.
    pub started_boot_ms: u64,
    /// The present verbosity.
    pub verbosity: u32,
    /// When the certificates were last read, on the boot-time clock; `None` without TLS.
    pub tls_refreshed_boot_ms: Option<u64>,
    /// What clients may change, as it is now.
    pub tuning: Tuning,
    /// Crawls and dumps that clients have asked for.
    pub crawls: u64,
    /// Whether one is under way.
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

    /// The same of one class.
    pub(super) fn sum_of_class(
        &self,
        class: u8,
        counter: impl Fn(&ClassCounts) -> &Counter,
    ) -> u64 {
        self.sum(|worker| counter(worker.class(class)))
    }

    /// Whether there are the keys of memcached's HOT, WARM and COLD.
    pub(super) fn has_segments(&self) -> bool {
        self.tuning.lru.maintainer
    }

    /// Whether there are those of its TEMP.
    pub(super) fn has_temp_lru(&self) -> bool {
        self.tuning.lru.temporary
    }

    /// How long the node has been running.
    pub(super) fn uptime_ms(&self) -> u64 {
        self.now.boot_ms.saturating_sub(self.started_boot_ms)
    }
}

/// Prints statistics that are kept elsewhere.
type Print<'n> = dyn Fn(&mut Vec<u8>) + 'n;

/// Statistics that this module does not know.
#[allow(
    missing_debug_implementations,
    reason = "functions have nothing to show"
)]
pub struct StatSources<'n> {
    /// The lines of `stats replication`.
    pub replication: &'n Print<'n>,
    /// The lines of `stats conns`.
    pub connections: &'n Print<'n>,
}

/// Answers `stats <args>`.
///
/// memcached takes the beginning of a word for the word: `stats res` resets, and so does `stats r`.
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
        // There is no such storage: it has nothing to tell, as there where none is used.
        Some(word) if b"extstore".starts_with(word) => {}
        Some(b"replication") => (others.replication)(out),
        Some(_) => return reply::line(out, "ERROR"),
    }
    out.extend_from_slice(reply::END);
}

/// `stats detail on|off|dump`; here too the beginning of a word is enough.
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

/// `stats sizes`: how many items there are of each 32 bytes of size.
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
