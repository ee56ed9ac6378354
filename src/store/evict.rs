//! Keeping the budget: the coldest of a few shards' coldest entries goes, until all is within it.

use super::Store;
use super::batch::Batch;
use super::door::{At, Cause, Change};
use super::item::{tick_of, ticks_since};
use super::shard::{EMPTY_TAIL, Shard};
use crate::limits;

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

    /// Evicts what is over the budget. Called without a lock, as part of a turn that has charged
    /// something beside items.
    pub fn make_room(&self, batch: &mut Batch) {
        self.settle(batch);
    }

    pub(super) fn evict_to_budget(&self, batch: &mut Batch) {
        self.shared.sweep_pinned();
        while self.shared.evicting && self.shared.account.is_over_budget() {
            if !self.evict_one(batch) {
                return;
            }
        }
    }

    /// Evicts one entry; false if there is none that may go.
    fn evict_one(&self, batch: &mut Batch) -> bool {
        for _ in 0..limits::EVICTION_SAMPLE {
            if self.shared.account.snapshot().live_items == 0 {
                return false;
            }
            let coldest = self.coldest_sampled(batch);
            if coldest.is_some_and(|shard| self.evict_from(shard, batch)) {
                return true;
            }
        }
        // What may not go fills the cold ends of all that was sampled.
        (0..self.shards.len()).any(|shard| self.evict_from(shard, batch))
    }

    fn evict_from(&self, shard: usize, batch: &mut Batch) -> bool {
        let mut shard = self.shards[shard].lock();
        let evicted = self.evict_tail(&mut shard, batch);
        drop(shard);
        if batch.witness.is_some() || batch.is_background {
            self.tell_evicted(batch);
        }
        self.shared.free_retired(batch);
        evicted
    }

    /// The shard with the coldest tail among a few, met in a random order. The fewer entries a
    /// shard holds the more are looked at: the tail of a shard of one is no colder than any entry.
    fn coldest_sampled(&self, batch: &Batch) -> Option<usize> {
        let mask = self.shards.len() - 1;
        let tick = tick_of(batch.now);
        let seed = self.shared.eviction_seed();
        let (start, stride) = ((seed >> 32) as usize, (seed >> 8) as usize | 1);
        let shards = self.shards.len() as u64;
        let wanted = limits::EVICTION_SAMPLE_ENTRIES * shards / self.shared.entries().max(1);
        let wanted = wanted.max(limits::EVICTION_SAMPLE);
        (0..=mask)
            .map(|nth| start.wrapping_add(nth.wrapping_mul(stride)) & mask)
            .filter(|&shard| self.shared.tail(shard) != EMPTY_TAIL)
            .take(wanted as usize)
            .max_by_key(|&shard| {
                let age = ticks_since(tick, self.shared.tail(shard));
                // Of equals, not the one that was just written.
                (age, batch.written != Some(shard))
            })
    }

    /// Evicts the coldest live entry. Met on the way and promoted are, a few at most, tombstones,
    /// which must outlive the items whose removal they carry, and items that somebody reads right
    /// now, which would free nothing.
    fn evict_tail(&self, shard: &mut Shard, batch: &mut Batch) -> bool {
        for _ in 0..=limits::EVICTIONS_SKIPPED {
            let Some((&slot, item)) = shard.table.peek_lru() else {
                return false;
            };
            if item.is_tombstone() || !item.is_unique() {
                shard.promote(&self.shared, slot, tick_of(batch.now));
                continue;
            }
            if self.shared.is_flushed(item) || item.is_expired(batch.now) {
                self.count_reclaimed(item);
                self.bury(shard, slot, batch);
            } else {
                let item = item.clone();
                self.shared.counters.count_eviction(&item, batch.now);
                let at = At::of(slot, &item);
                let removal = Change::Remove { key: item.key() };
                shard.change(&self.shared, batch, at, removal, Cause::Eviction);
            }
            return true;
        }
        false
    }
}
