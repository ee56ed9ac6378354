//! The full sync: a walk over the whole table, requested when a link comes up and after an
//! overflow.
//!
//! A large value that changed while it was sent, or that the live lane sends, is deferred. The end
//! mark follows the last deferred entry, because the partner opens its client port at that mark.

use std::collections::BTreeSet;

use crate::store::Store;

/// One walk, shard by shard, the hottest entries of each first. What clients write to a shard that
/// was already walked is sent in the live lane.
#[derive(Debug, Default)]
pub(super) struct FullSync {
    walking: bool,
    requested: bool,
    next_shard: usize,
    slots: Vec<u64>,
    next_slot: usize,
    /// Sent after the walk. Large values only, so they are few.
    deferred: BTreeSet<u64>,
}

impl FullSync {
    /// Requests a walk. A running one is finished first.
    pub(super) fn request(&mut self) {
        self.requested = true;
    }

    /// Whether a walk is running; a requested one starts here.
    pub(super) fn begin(&mut self) -> SyncPhase {
        if self.walking {
            return SyncPhase::Walking;
        }
        if !self.requested {
            return SyncPhase::Idle;
        }
        *self = Self {
            walking: true,
            ..Self::default()
        };
        SyncPhase::Begun
    }

    /// The next slot of the walk, then the first deferred one until it is [`Self::sent`]; `None` at
    /// the end.
    pub(super) fn next(&mut self, store: &Store) -> Option<u64> {
        loop {
            if let Some(&slot) = self.slots.get(self.next_slot) {
                self.next_slot += 1;
                return Some(slot);
            }
            if self.next_shard == store.shard_count() {
                return self.deferred.first().copied();
            }
            self.slots.clear();
            self.next_slot = 0;
            store.slots_of(self.next_shard, &mut self.slots);
            self.next_shard += 1;
        }
    }

    /// The walk has passed this slot, but its entry must still be sent before the end mark. False
    /// if no walk is running or the slot is deferred already.
    pub(super) fn defer(&mut self, slot: u64) -> bool {
        self.walking && self.deferred.insert(slot)
    }

    /// The slot's record is on the wire to its end.
    pub(super) fn sent(&mut self, slot: u64) {
        if !self.deferred.is_empty() {
            self.deferred.remove(&slot);
        }
    }

    /// The end mark is on the wire.
    pub(super) fn end(&mut self) {
        *self = Self {
            requested: self.requested,
            ..Self::default()
        };
    }

    /// Whether a walk is running if there is anything that only a walk sends.
    pub(super) fn is_consistent(&self) -> bool {
        self.walking || (self.deferred.is_empty() && self.next_slot >= self.slots.len())
    }

    /// Whether no walk is running or requested.
    pub(super) fn is_idle(&self) -> bool {
        !self.walking && !self.requested
    }
}

/// What [`FullSync::begin`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncPhase {
    Idle,
    Begun,
    Walking,
}
