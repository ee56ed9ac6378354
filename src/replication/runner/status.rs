//! The state of the link as other threads see it: the rows of `stats replication`.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::replication::link::LinkCounters;
use crate::replication::startup::NodeState;

/// Printed in place of a side, node id, mode or link that a node does not have.
const NONE: &str = "none";

/// The state of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// There is none.
    Down,
    /// Records can be sent.
    Up,
    /// One node refused the other; why.
    Refused(String),
}

/// Numbers from outside the link, for [`ReplicationStatus::lines`]. They must be read before it: a
/// key that leaves the change queue then counts twice rather than not at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtraStats {
    /// Keys in the change queue.
    pub waiting_keys: u64,
    /// Keys were dropped, and the link has not noticed the overflow yet.
    pub overflowed: bool,
    /// The table is empty, so the partner lacks nothing.
    pub table_is_empty: bool,
}

/// The state of replication, shared between the replication thread and the threads that show it.
#[derive(Debug)]
pub struct ReplicationStatus {
    node_id: String,
    side: Option<u8>,
    published: Mutex<Published>,
    unauthenticated_links: AtomicU64,
    #[cfg(test)]
    panic_wanted: std::sync::atomic::AtomicBool,
}

#[derive(Debug)]
struct Published {
    state: NodeState,
    link: LinkState,
    counters: LinkCounters,
}

impl ReplicationStatus {
    /// The status of a starting node; `side` is `None` on a node without a partner.
    #[must_use]
    pub fn new(node_id: String, side: Option<u8>) -> Self {
        let state = if side.is_some() {
            NodeState::Starting
        } else {
            NodeState::Serving
        };
        let published = Published {
            state,
            link: LinkState::Down,
            counters: LinkCounters::default(),
        };
        Self {
            node_id,
            side,
            published: Mutex::new(published),
            unauthenticated_links: AtomicU64::new(0),
            #[cfg(test)]
            panic_wanted: false.into(),
        }
    }

    /// Starting or serving.
    #[must_use]
    pub fn node_state(&self) -> NodeState {
        self.published.lock().state
    }

    /// The state of the link.
    #[must_use]
    pub fn link(&self) -> LinkState {
        self.published.lock().link.clone()
    }

    /// The link's counters.
    #[must_use]
    pub fn counters(&self) -> LinkCounters {
        self.published.lock().counters
    }

    /// Connections to the replication port that could not prove the pair's key.
    #[must_use]
    pub fn unauthenticated_links(&self) -> u64 {
        self.unauthenticated_links.load(Ordering::Relaxed)
    }

    /// The rows of `stats replication`, in their order. Every value is one word, except the reason
    /// of a refusal.
    #[must_use]
    pub fn lines(&self, unseen: ExtraStats) -> Vec<(&'static str, String)> {
        let published = self.published.lock();
        let counters = published.counters;
        let sync_pending = (counters.sync_pending || unseen.overflowed) && !unseen.table_is_empty;
        let link = match &published.link {
            LinkState::Down => "down",
            LinkState::Up => "up",
            LinkState::Refused(_) => "refused",
        };
        let in_pair = |word: &str| {
            let word = if self.side.is_some() { word } else { NONE };
            word.to_owned()
        };
        let side = self
            .side
            .map_or_else(|| NONE.to_owned(), |side| side.to_string());
        let node_id = if self.node_id.is_empty() {
            NONE
        } else {
            &self.node_id
        };
        let mut lines = vec![
            ("memtwin_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("node_state", published.state.word().to_owned()),
            ("side", side),
            ("node_id", node_id.to_owned()),
            ("mode", in_pair("async")),
            ("link", in_pair(link)),
        ];
        if let LinkState::Refused(reason) = &published.link {
            lines.push(("link_refused", reason.clone()));
        }
        let numbers = [
            ("link_ups", counters.link_ups),
            ("link_faults", counters.link_faults),
            ("pass_sent", counters.pass_sent),
            ("pass_received", counters.pass_received),
            ("queue_keys", counters.queue_keys + unseen.waiting_keys),
            ("unconfirmed_records", counters.unconfirmed_records),
            ("unconfirmed_bytes", counters.unconfirmed_bytes),
            ("sync_pending", u64::from(sync_pending)),
            ("queue_overflows", counters.queue_overflows),
            ("records_sent", counters.records_sent),
            ("records_confirmed", counters.records_confirmed),
            ("records_superseded", counters.records_superseded),
            ("records_no_room", counters.records_no_room),
            ("records_aborted", counters.records_aborted),
            ("records_received", counters.records_received),
            ("records_applied", counters.records_applied),
            ("records_refused", counters.records_refused),
            ("clock_ahead", counters.clock_ahead),
            ("unauthenticated_links", self.unauthenticated_links()),
        ];
        lines.extend(numbers.map(|(name, number)| (name, number.to_string())));
        lines
    }

    /// Has the replication thread panic in its next turn.
    #[cfg(test)]
    pub(super) fn want_panic(&self) {
        self.panic_wanted.store(true, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn panic_if_wanted(&self) {
        assert!(
            !self.panic_wanted.swap(false, Ordering::Relaxed),
            "wanted by a test"
        );
    }

    /// Sets the state of the link. True if it has changed.
    pub(super) fn set_link(&self, link: LinkState) -> bool {
        let mut published = self.published.lock();
        let old = mem::replace(&mut published.link, link);
        old != published.link
    }

    /// Ends a refusal. True if there was one.
    pub(super) fn refusal_is_over(&self) -> bool {
        let mut published = self.published.lock();
        let refused = matches!(published.link, LinkState::Refused(_));
        if refused {
            published.link = LinkState::Down;
        }
        refused
    }

    pub(super) fn publish(&self, state: NodeState, counters: LinkCounters) {
        let mut published = self.published.lock();
        published.state = state;
        published.counters = counters;
    }

    /// Counts an unauthenticated connection; returns their number.
    pub(super) fn count_unauthenticated(&self) -> u64 {
        self.unauthenticated_links.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: &ReplicationStatus, wanted: &str) -> String {
        let lines = status.lines(ExtraStats::default());
        let found = lines.into_iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value).unwrap()
    }

    #[test]
    fn a_standalone_node_shows_neither_side_nor_mode_nor_link() {
        let alone = ReplicationStatus::new(String::new(), None);
        for name in ["side", "node_id", "mode", "link"] {
            assert_eq!(shown(&alone, name), NONE, "{name}");
        }
        assert_eq!(shown(&alone, "node_state"), "serving");
        let paired = ReplicationStatus::new("n1".to_owned(), Some(0));
        for (name, value) in [
            ("side", "0"),
            ("node_id", "n1"),
            ("mode", "async"),
            ("link", "down"),
        ] {
            assert_eq!(shown(&paired, name), value, "{name}");
        }
    }
}
