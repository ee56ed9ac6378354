//! What must be true of a link's state, or data would be lost without anybody noticing.
//!
//! Checked in release builds, too, before each output leaves: a link whose state is wrong is ended,
//! and the sync of the next one sends whatever this one forgot. All checks are a few
//! comparisons, whatever the queues hold.

use super::{Link, LinkError, Phase, Session};
use crate::replication::wire::Lane;
use crate::store::Store;

impl Link {
    /// # Errors
    /// [`LinkError::State`]: the link has failed.
    pub(super) fn check_state(&mut self, store: &Store) -> Result<(), LinkError> {
        let wrong = match self.phase {
            Phase::Up => self.session.find_wrong(store),
            _ => None,
        };
        let Some(wrong) = wrong else {
            return Ok(());
        };
        let error = LinkError::State(wrong);
        self.counters.link_faults += 1;
        self.fail(&error);
        Err(error)
    }
}

impl Session {
    fn find_wrong(&self, store: &Store) -> Option<&'static str> {
        if !self.dirty.is_consistent() || !self.bulk.is_consistent() {
            return Some("a dirty key is in no queue");
        }
        if !self.in_flight.is_consistent() {
            return Some("the frames in flight do not add up");
        }
        if self.outgoing.iter().flatten().any(|it| it.is_finished()) {
            return Some("a transfer has ended and is still there");
        }
        // Records below the watermark are not sent, for the partner's flush removes them.
        if self.watermark_sent > store.flush_watermark() {
            return Some("the partner was sent a flush that this node does not have");
        }
        let syncs = self.outgoing[Lane::Sync as usize].is_some();
        if syncs && !self.sync.sender.is_running() {
            return Some("a transfer belongs to a sync that has ended");
        }
        None
    }
}
