//! The state of the link as other threads see it.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::config::Mode;
use crate::replication::link::LinkCounters;
use crate::replication::startup::NodeState;

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

/// The state of replication, shared between the replication thread and the threads that show it.
#[derive(Debug)]
pub struct ReplicationStatus {
    node_id: String,
    side: Option<u8>,
    mode: Mode,
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
    pub fn new(node_id: String, side: Option<u8>, mode: Mode) -> Self {
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
            mode,
            published: Mutex::new(published),
            unauthenticated_links: AtomicU64::new(0),
            #[cfg(test)]
            panic_wanted: false.into(),
        }
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

    /// Starting or serving, the state of the link and its counters, of one moment.
    pub(super) fn published(&self) -> (NodeState, LinkState, LinkCounters) {
        let published = self.published.lock();
        (published.state, published.link.clone(), published.counters)
    }

    /// MSM's name of the node; may be empty.
    pub(super) fn node_id(&self) -> &str {
        &self.node_id
    }

    /// `None` on a node without a partner.
    pub(super) fn side(&self) -> Option<u8> {
        self.side
    }

    /// When a write is answered.
    pub(super) fn mode(&self) -> Mode {
        self.mode
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
