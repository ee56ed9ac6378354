//! Keeping the budget: the coldest of a few shards' coldest entries goes, until all is within it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Store;
use super::batch::Batch;
use super::door::{At, Cause, Change};
use super::item::tick_of;
use super::shard::{EMPTY_TAIL, Shard};
use crate::limits;

/// Spreads the samples of all threads over the shards.
static SAMPLES: AtomicU32 = AtomicU32::new(0);

impl Store {
    /// Frees what a turn's change retired and makes room if it went over the budget. Called
    /// without a lock.
    pub(super) fn settle(&self, batch: &mut Batch) {
        if !batch.retired.is_empty() {
            self.shared.free_retired(batch);
        }
        if self.shared.account.is_over_budget() {
            self.evict_to_budget(batch);
        }
    }

    pub(super) fn evict_to_budget(&self, batch: &mut Batch) {
        if !self.shared.evicting {
            return;
        }
        while self.shared.account.is_over_budget() {
            self.shared.sweep_pinned();
            if !self.evict_one(batch) {
                return;
            }
        }
    }

    /// Evicts one entry; false if there is none that may go.
    fn evict_one(&self, batch: &mut Batch) -> bool {
        for _ in 0..limits::EVICTION_SAMPLE {
            let Some(coldest) = self.coldest_sampled(batch) else {
                return false;
            };
            let mut shard = self.shards[coldest].lock();
            let evicted = self.evict_tail(&mut shard, batch);
            drop(shard);
            self.shared.free_retired(batch);
            if evicted {
                return true;
            }
        }
        false
    }

    /// The shard with the coldest tail among a few; among all if those few are empty.
    fn coldest_sampled(&self, batch: &Batch) -> Option<usize> {
        let mask = self.shards.len() - 1;
        let seed = SAMPLES
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9e37_79b9);
        let sample = (0..limits::EVICTION_SAMPLE as u32)
            .map(|nth| seed.rotate_left(nth * 8) as usize >> 4 & mask);
        self.coldest_of(sample, batch).or_else(|| {
            let start = seed as usize >> 4;
            self.coldest_of((0..=mask).map(|nth| (start + nth) & mask), batch)
        })
    }

    fn coldest_of(&self, shards: impl Iterator<Item = usize>, batch: &Batch) -> Option<usize> {
        let tick = tick_of(batch.now);
        shards
            .filter(|&index| self.shared.tail(index) != EMPTY_TAIL)
            .max_by_key(|&index| tick.wrapping_sub(self.shared.tail(index)))
    }

    /// Evicts the coldest live entry. Tombstones met on the way are promoted and skipped, a few
    /// at most: they must outlive the items whose removal they carry.
    fn evict_tail(&self, shard: &mut Shard, batch: &mut Batch) -> bool {
        let counters = &self.shared.counters;
        for _ in 0..=limits::TOMBSTONES_SKIPPED {
            let Some((&slot, item)) = shard.table.peek_lru() else {
                shard.publish_tail(&self.shared);
                return false;
            };
            if item.is_tombstone() {
                shard.promote(&self.shared, slot, tick_of(batch.now));
                shard.publish_tail(&self.shared);
                continue;
            }
            if self.shared.is_flushed(item) || item.is_expired(batch.now) {
                counters.reclaimed.fetch_add(1, Ordering::Relaxed);
                self.bury(shard, slot, batch);
            } else {
                let item = item.clone();
                counters.evictions.fetch_add(1, Ordering::Relaxed);
                if !item.is_fetched() {
                    counters.evicted_unfetched.fetch_add(1, Ordering::Relaxed);
                }
                let at = At {
                    slot,
                    displaced: item.is_displaced(),
                };
                let removal = Change::Remove { key: item.key() };
                shard.change(&self.shared, batch, at, removal, Cause::Eviction);
            }
            shard.publish_tail(&self.shared);
            return true;
        }
        false
    }
}
