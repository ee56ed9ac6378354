//! What other threads may know of the link: the lines of `stats replication`.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::replication::link::LinkCounters;
use crate::replication::startup::NodeState;

/// What a node prints of what it does not have.
const NONE: &str = "none";

/// How the link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// There is none.
    Down,
    /// Records travel.
    Up,
    /// The partner answers, but the two do not fit together; why.
    Refused(String),
}

/// What the link does not know of, for [`ReplicationStatus::lines`]; to be read before.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtraStats {
    /// Changed keys on their way to the link.
    pub waiting_keys: u64,
    /// Some were dropped and left to a pass that the link has not noticed yet.
    pub overflowed: bool,
    /// The table holds nothing, so that no pass is owed.
    pub table_is_empty: bool,
}

/// A node's view of its partner, shared with whoever shows it.
#[derive(Debug)]
pub struct ReplicationStatus {
    node_id: String,
    side: Option<u8>,
    published: Mutex<Published>,
    unauthenticated_links: AtomicU64,
}

#[derive(Debug)]
struct Published {
    state: NodeState,
    link: LinkState,
    counters: LinkCounters,
}

impl ReplicationStatus {
    /// The status of a node that starts; `side` is `None` on a node that is alone.
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
        }
    }

    /// Starting or serving.
    #[must_use]
    pub fn node_state(&self) -> NodeState {
        self.published.lock().state
    }

    /// How the link stands.
    #[must_use]
    pub fn link(&self) -> LinkState {
        self.published.lock().link.clone()
    }

    /// What the link has counted.
    #[must_use]
    pub fn counters(&self) -> LinkCounters {
        self.published.lock().counters
    }

    /// Connections to the replication port that could not prove the pair's key.
    #[must_use]
    pub fn unauthenticated_links(&self) -> u64 {
        self.unauthenticated_links.load(Ordering::Relaxed)
    }

    /// Names and values of `stats replication`, in their order. Every value is one word, but for
    /// the reason of a refusal; a node that is alone has neither side nor mode nor link.
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

    /// Notes how the link stands; whether that is news.
    pub(super) fn set_link(&self, link: LinkState) -> bool {
        let mut published = self.published.lock();
        let old = mem::replace(&mut published.link, link);
        old != published.link
    }

    /// Forgets a refusal; whether there was one.
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

    /// Counts a stranger; how many there were with it.
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
    fn a_node_that_is_alone_has_no_link_to_be_up_or_down() {
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
