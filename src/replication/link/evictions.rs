//! Evictions: a node tells its partner which items it has evicted that the partner takes for held
//! here. The partner counts them as unprotected, and does not send them again: it is this node's
//! choice what it holds.
//!
//! A notice says that the item is not here now. So it must not overtake the ack of a record that
//! brought the item before, and is left out if a later record has brought it again.

use super::Link;
use crate::limits::EVICTION_NOTICES_SENT;
use crate::replication::wire::{Evictions, Frame};
use crate::rules::{Rule, holds};
use crate::store::Store;

impl Link {
    /// Tells the partner what was evicted here. Called once the acks are in the output.
    pub(super) fn send_evictions(&self, store: &Store, out: &mut Vec<u8>, limit: usize) {
        let may_overtake = !self.session.pending_acks.is_empty();
        if may_overtake || out.len() >= limit || !store.has_eviction_notices() {
            return;
        }
        let evicted = store.take_eviction_notices(EVICTION_NOTICES_SENT);
        if !evicted.is_empty() && holds(Rule::EvictionsAreTold) {
            Frame::encode_evictions(out, &evicted);
        }
    }

    pub(super) fn on_evictions(&mut self, evictions: Evictions<'_>, store: &Store) {
        for evicted in evictions {
            self.session.sync.sender.lacks(evicted.slot);
            self.counters.partner_evictions += u64::from(store.evicted_there(evicted));
        }
    }
}
