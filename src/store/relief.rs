//! Eviction when the machine has no memory for an item although the budget has: other items are
//! evicted, one of at least its size first, and the allocation is tried again.

use std::cell::Cell;

use super::item::Item;
use super::memory::cost_bytes;
use super::op_context::OpContext;
use super::shard::EMPTY_TAIL;
use super::{Store, shared};
use crate::limits::{
    ALLOCATION_TRIES, RELIEF_BYTES_MIN, RELIEF_ITEMS, RELIEF_SHARDS, RELIEF_STEPS,
};

/// A failed allocation of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedAllocation {
    /// What the item would cost.
    pub(super) bytes: u64,
    pub(super) class: u8,
}

thread_local! {
    /// An allocation may fail under a shard's lock, where nothing may be evicted. It is noted here,
    /// and the eviction follows once the lock is released.
    static FAILED_ALLOCATION: Cell<Option<FailedAllocation>> = const { Cell::new(None) };
}

/// Notes that this thread found no memory for an item.
pub(super) fn note(failed: FailedAllocation) {
    FAILED_ALLOCATION.set(Some(failed));
}

impl Store {
    /// Repeats `attempt` as long as it is refused because the machine has no memory for an item, at
    /// most [`ALLOCATION_TRIES`] times, each time after an eviction. Called without a lock.
    pub fn retry<C, R>(
        &self,
        caller: &mut C,
        context_of: impl Fn(&mut C) -> &mut OpContext,
        mut attempt: impl FnMut(&mut C) -> R,
        is_refused: impl Fn(&R) -> bool,
    ) -> R {
        // A note of an earlier attempt of this thread is obsolete.
        FAILED_ALLOCATION.take();
        let mut done = attempt(caller);
        for _ in 0..ALLOCATION_TRIES {
            if !is_refused(&done) || !self.relieve(context_of(caller)) {
                return done;
            }
            done = attempt(caller);
        }
        if let Some(failed) = FAILED_ALLOCATION.take().filter(|_| is_refused(&done)) {
            self.count_refused(failed.class);
        }
        done
    }

    /// Evicts for the last failed allocation of this thread. False if there was none, or if nothing
    /// can be evicted: then the item is counted as refused.
    pub(super) fn relieve(&self, context: &mut OpContext) -> bool {
        let Some(failed) = FAILED_ALLOCATION.take() else {
            return false;
        };
        let relieved = self.shared.evicting && self.evict_for(failed.bytes, context);
        if !relieved {
            self.count_refused(failed.class);
        }
        relieved
    }

    /// Evicts so many bytes and [`RELIEF_BYTES_MIN`] more, for allocations that come with an item.
    /// False if nothing can be evicted.
    #[cold]
    fn evict_for(&self, bytes: u64, context: &mut OpContext) -> bool {
        let used_bytes = self.memory().used_bytes;
        let enough_bytes = used_bytes.saturating_sub(bytes + RELIEF_BYTES_MIN);
        for step in 0..RELIEF_STEPS {
            if !self.evict_as_large(bytes, context) && !self.evict_one(context) {
                return step > 0;
            }
            if self.memory().used_bytes <= enough_bytes {
                break;
            }
        }
        true
    }

    /// Evicts an item of at least this cost from the cold ends of some shards: many small items may
    /// not leave one free block as large.
    fn evict_as_large(&self, bytes: u64, context: &mut OpContext) -> bool {
        let seed = self.shared.eviction_seed();
        let (start, stride) = shared::walk_of(seed);
        let mask = self.shards.len() - 1;
        let shards = (0..=mask)
            .map(|nth| start.wrapping_add(nth.wrapping_mul(stride)) & mask)
            .filter(|&shard| self.shared.tail(shard) != EMPTY_TAIL);
        for index in shards.take(RELIEF_SHARDS) {
            let mut shard = self.shards[index].lock();
            let is_as_large = |item: &Item| item.is_unique() && cost_bytes(item) >= bytes;
            let slot = {
                let mut coldest = shard.table.coldest_first().take(RELIEF_ITEMS);
                coldest.find_map(|(slot, item)| is_as_large(item).then_some(slot))
            };
            let Some(slot) = slot else { continue };
            self.evict_item(&mut shard, slot, context);
            drop(shard);
            self.after_eviction(context);
            return true;
        }
        false
    }
}
