//! The end of the replication thread: the partner first gets what it may lack, on the present link
//! or on one that comes up in time.
//!
//! Without a link this node cannot know what the partner has: its process may be a new, empty one.
//! Then the whole table counts as unreplicated, and the node waits for the partner. It waits as
//! long as the partner goes on confirming, and `drain_timeout` for each next step.

use std::time::Duration;

use super::drive::LinkEnd;
use super::{Runner, ShutdownPhase};
use crate::limits::DRAIN_MS_MAX;
use crate::store::{Unreplicated, UnreplicatedCount};

/// How far a stopping node has drained.
#[derive(Debug)]
pub(super) struct DrainState {
    timeout_ms: u64,
    /// Set once the workers have ended.
    timer: Option<DrainTimer>,
    partner: PartnerHas,
    /// What the partner may lack, once it was counted.
    unreplicated: Option<UnreplicatedCount>,
}

/// When a stopping node gives up.
#[derive(Debug)]
struct DrainTimer {
    timeout_ms: u64,
    began_ms: u64,
    progress: Progress,
    progress_ms: u64,
}

/// What changes as the partner confirms records, or parts of large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    link_ups: u64,
    acknowledged: u64,
    unconfirmed_bytes: u64,
}

impl DrainTimer {
    fn new(timeout_ms: u64, progress: Progress, now_ms: u64) -> Self {
        Self {
            timeout_ms,
            began_ms: now_ms,
            progress,
            progress_ms: now_ms,
        }
    }

    fn is_over(&mut self, progress: Progress, now_ms: u64) -> bool {
        if self.progress != progress {
            self.progress = progress;
            self.progress_ms = now_ms;
        }
        now_ms >= self.progress_ms + self.timeout_ms || now_ms >= self.began_ms + DRAIN_MS_MAX
    }
}

impl DrainState {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout_ms: timeout.as_millis() as u64,
            timer: None,
            partner: PartnerHas::default(),
            unreplicated: None,
        }
    }
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
        let now_ms = self.clock.now().boot_ms;
        let counters = self.link.counters();
        let progress = Progress {
            link_ups: counters.link_ups,
            acknowledged: counters.records_confirmed
                + counters.records_superseded
                + counters.records_lacking
                + counters.records_no_room,
            unconfirmed_bytes: counters.unconfirmed_bytes,
        };
        let timeout_ms = self.drain.timeout_ms;
        let timer = &mut self.drain.timer;
        timer
            .get_or_insert_with(|| DrainTimer::new(timeout_ms, progress, now_ms))
            .is_over(progress, now_ms)
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
        self.drain.partner = if !was_there || self.link.needs_sync() {
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
        let UnreplicatedCount { items, deletions } = unreplicated;
        let is_anything = items + deletions > 0;
        if is_anything && overdue {
            tracing::warn!(
                items,
                deletions,
                "stopped before the partner had everything: it was not there, or too slow; what \
                 only this node had is lost"
            );
        } else if is_anything && is_new {
            tracing::info!(
                items,
                deletions,
                timeout_ms = self.drain.timeout_ms,
                "waiting for the partner: it may not have everything"
            );
        }
        !is_anything || overdue
    }

    fn count_unreplicated(&self) -> UnreplicatedCount {
        let unreplicated = match self.drain.partner {
            PartnerHas::Nothing => Unreplicated::All,
            PartnerHas::Confirmed => Unreplicated::Unconfirmed,
            PartnerHas::Everything => return UnreplicatedCount::default(),
        };
        self.store
            .count_unreplicated(unreplicated, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The partner has acknowledged so many records.
    fn at(acknowledged: u64) -> Progress {
        Progress {
            link_ups: 1,
            acknowledged,
            unconfirmed_bytes: 0,
        }
    }

    #[test]
    fn a_partner_that_confirms_nothing_is_waited_for_as_long_as_configured() {
        let mut timer = DrainTimer::new(5000, at(3), 100);
        assert!(!timer.is_over(at(3), 100) && !timer.is_over(at(3), 5099));
        assert!(timer.is_over(at(3), 5100));
    }

    /// Regression: a node stopped after 5 s in all, in the middle of a table that took longer to
    /// send. What had not arrived was lost when both nodes were restarted in turn.
    #[test]
    fn each_confirmation_begins_the_wait_anew_until_80_seconds_are_over() {
        let mut timer = DrainTimer::new(5000, at(0), 100);
        let over = (100..200_000)
            .step_by(100)
            .find(|now_ms| timer.is_over(at(now_ms / 4000), *now_ms));
        assert_eq!(over, Some(100 + DRAIN_MS_MAX));
        let mut timer = DrainTimer::new(5000, at(0), 0);
        assert!(!timer.is_over(at(1), 4000) && !timer.is_over(at(1), 8999));
        assert!(timer.is_over(at(1), 9000));
    }
}
