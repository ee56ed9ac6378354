//! The walk over the whole table that every link-up and every overflow begins.
//!
//! What the walk could not send to the end, it owes: a large value that changed meanwhile, or that
//! the live stream carries. The end mark follows the last of them, because the partner opens its
//! client port at it.

use std::collections::BTreeSet;

use crate::store::Store;

/// One walk, shard by shard, the hottest entries of each first. What is written behind it travels
/// in the live stream.
#[derive(Debug, Default)]
pub(super) struct FullSync {
    walking: bool,
    requested: bool,
    next_shard: usize,
    slots: Vec<u64>,
    next_slot: usize,
    /// Slots of large values only, so they are few.
    deferred: BTreeSet<u64>,
}

impl FullSync {
    /// Asks for a walk. One that is under way is finished first.
    pub(super) fn request(&mut self) {
        self.requested = true;
    }

    /// Whether a walk is under way; a requested one begins here.
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

    /// The next slot of the walk, and after it the first of those it owes, until that is settled;
    /// `None` at its end.
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

    /// The walk has passed this slot, but the partner must still get what it holds before the end
    /// mark. False if it was deferred before.
    pub(super) fn defer(&mut self, slot: u64) -> bool {
        self.walking && self.deferred.insert(slot)
    }

    /// What the slot holds is on the wire to its end.
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

    /// Whether no walk is under way or requested.
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
