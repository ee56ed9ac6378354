//! The end of the replication thread: the partner first gets what it may lack, on the present link
//! or on one that comes up in time.
//!
//! Without a link this node cannot know what the partner has: its process may be a new, empty one.
//! Then the whole table counts as unreplicated, and the node waits for the partner, [`DRAIN_MS`] at
//! most.

use std::time::Duration;

use tokio::time::Instant;

use super::drive::LinkEnd;
use super::{Runner, ShutdownPhase};
use crate::limits::DRAIN_MS;
use crate::store::Unreplicated;

/// How far a stopping node has drained.
#[derive(Debug, Default)]
pub(super) struct DrainState {
    /// When it ends at the latest; set once the workers have ended.
    until: Option<Instant>,
    partner: PartnerHas,
    /// How many entries the partner may lack, once they were counted.
    unreplicated: Option<u64>,
}

/// What the partner is known to have, by the last link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PartnerHas {
    /// Its process may have been replaced.
    #[default]
    Nothing,
    /// What it has confirmed: it was linked when this node stopped.
    Confirmed,
    Everything,
}

impl Runner {
    /// Whether the time to wait for the partner is over. The first call starts it.
    pub(super) fn is_overdue(&mut self) -> bool {
        let limit = Duration::from_millis(DRAIN_MS);
        let until = *self
            .drain
            .until
            .get_or_insert_with(|| Instant::now() + limit);
        Instant::now() >= until
    }

    /// Whether the partner has everything.
    pub(super) fn has_drained(&self) -> bool {
        self.changes.is_empty() && self.link.is_drained()
    }

    /// Notes what the partner has when a link ends. `closed_cleanly`: it sent close_notify.
    pub(super) fn note_partner(&mut self, ending: &LinkEnd, closed_cleanly: bool) {
        let stops = *self.stop.borrow() != ShutdownPhase::Running;
        let was_there = match ending {
            LinkEnd::Stopping => true,
            // Both nodes stop: the partner has what it has confirmed.
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

    /// A panic has ended the link: what the partner has is not known.
    pub(super) fn forget_partner(&mut self) {
        self.drain.unreplicated = None;
        self.drain.partner = PartnerHas::Nothing;
    }

    /// Whether the thread ends now. Called while there is no link.
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
