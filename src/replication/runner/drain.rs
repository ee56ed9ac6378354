//! How the replication thread ends: what the partner may not have is given to it first, on the
//! link that is up or on one that comes up in time.
//!
//! Without a link nobody knows what the partner has: its process may be a new, empty one by now. So
//! the whole table is unreplicated then, and the node waits for the partner, [`DRAIN_MS`] at most.

use std::time::Duration;

use tokio::time::Instant;

use super::drive::LinkEnd;
use super::{Runner, ShutdownPhase};
use crate::limits::DRAIN_MS;
use crate::store::Unreplicated;

/// How far the thread is with its end.
#[derive(Debug, Default)]
pub(super) struct DrainState {
    /// When it ends whatever is unreplicated; known from the moment it is told to stop.
    until: Option<Instant>,
    partner: PartnerHas,
    /// What the partner may not have, once it was counted.
    unreplicated: Option<u64>,
}

/// What the partner is known to have, by the link before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PartnerHas {
    /// It may be another process by now.
    #[default]
    Nothing,
    /// What it had confirmed: it was there when this node stopped.
    Confirmed,
    /// All there is.
    Everything,
}

impl Runner {
    /// Whether the node has stopped and its patience is over.
    pub(super) fn is_overdue(&mut self) -> bool {
        let limit = Duration::from_millis(DRAIN_MS);
        let until = *self
            .drain
            .until
            .get_or_insert_with(|| Instant::now() + limit);
        Instant::now() >= until
    }

    /// Whether the node has stopped and the partner has everything.
    pub(super) fn has_drained(&self) -> bool {
        self.changes.is_empty() && self.link.is_drained()
    }

    /// A link is about to be over; `farewell`: the partner took its leave in order.
    pub(super) fn note_partner(&mut self, ending: &LinkEnd, closed_cleanly: bool) {
        let stops = *self.stop.borrow() != ShutdownPhase::Running;
        let was_there = match ending {
            LinkEnd::Stopping => true,
            // It stops as well: what it had confirmed ends with it.
            LinkEnd::Socket(_) => closed_cleanly && stops,
            LinkEnd::Link(_) | LinkEnd::Replaced(_) => false,
        };
        self.drain.unreplicated = None;
        self.drain.partner = if !was_there || self.link.needs_full_sync() {
            PartnerHas::Nothing
        } else if self.has_drained() {
            PartnerHas::Everything
        } else {
            PartnerHas::Confirmed
        };
    }

    /// Without a link: whether the thread ends now.
    pub(super) fn may_end(&mut self) -> bool {
        if *self.stop.borrow_and_update() != ShutdownPhase::Draining {
            return false;
        }
        let overdue = self.is_overdue();
        let (is_new, unreplicated) = match self.drain.unreplicated {
            Some(unreplicated) => (false, unreplicated),
            None => (true, self.count_unreplicated()),
        };
        self.drain.unreplicated = Some(unreplicated);
        if unreplicated > 0 && overdue {
            tracing::warn!(
                entries = unreplicated,
                "stopped before the partner had everything: it was not there, or too slow; what \
                 only this node had is lost"
            );
        } else if unreplicated > 0 && is_new {
            let seconds = DRAIN_MS / 1000;
            tracing::info!(
                entries = unreplicated,
                "waiting for the partner, {seconds} s at most: it may not have everything"
            );
        }
        unreplicated == 0 || overdue
    }

    fn count_unreplicated(&self) -> u64 {
        let unreplicated = match self.drain.partner {
            PartnerHas::Nothing => Unreplicated::All,
            PartnerHas::Confirmed => Unreplicated::Unconfirmed,
            PartnerHas::Everything => return 0,
        };
        self.store
            .count_unreplicated(unreplicated, self.clock.now())
    }
}
