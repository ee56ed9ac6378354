//! Keeping the budget: the coldest of a few shards' coldest items goes, until all is within it.

use super::Store;
use super::item::{tick_of, ticks_since};
use super::mutate::{Cause, Change, SlotRef};
use super::op_context::OpContext;
use super::shard::{EMPTY_TAIL, Shard};
use super::shared::walk_of;
use crate::limits;

impl Store {
    /// Frees what a turn's change retired and makes room if it went over the budget. Called
    /// without a lock.
    pub fn free_and_evict(&self, context: &mut OpContext) {
        if !context.retired.is_empty() {
            self.shared.free_retired(context);
        }
        if self.shared.account.is_over_budget() {
            self.evict_to_budget(context);
        }
    }

    pub(super) fn evict_to_budget(&self, context: &mut OpContext) {
        self.shared.sweep_pinned();
        while self.shared.evicting && self.shared.account.is_over_budget() {
            if !self.shared.account.grant_more(0) && !self.evict_one(context) {
                return;
            }
        }
    }

    /// Evicts one item. False if none was found that may go: what is over the budget stays so until
    /// the next change, which looks elsewhere. So one change does only so much.
    pub(super) fn evict_one(&self, context: &mut OpContext) -> bool {
        for _ in 0..limits::EVICTION_TRIES {
            if self.shared.live_items() == 0 {
                return false;
            }
            let coldest = self.coldest_sampled(context);
            if coldest.is_some_and(|shard| self.evict_from(shard, context)) {
                return true;
            }
        }
        // Clients read all that was looked at: what was just written goes, if anything.
        context
            .written
            .is_some_and(|shard| self.evict_from(shard, context))
    }

    fn evict_from(&self, shard: usize, context: &mut OpContext) -> bool {
        #[cfg(test)]
        self.shared
            .evictions_tried_in_shards
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut shard = self.shards[shard].lock();
        let evicted = self.evict_tail(&mut shard, context);
        drop(shard);
        self.after_eviction(context);
        evicted
    }

    /// Tells of what was evicted, and frees it. Called without a lock.
    pub(super) fn after_eviction(&self, context: &mut OpContext) {
        if context.observer.is_some() || context.is_background {
            self.report_evictions(context);
        }
        self.shared.free_retired(context);
    }

    /// The shard with the coldest tail among a few, found in a random order. The fewer entries a
    /// shard holds the more are looked at: the tail of a shard of one is no colder than any entry.
    fn coldest_sampled(&self, context: &OpContext) -> Option<usize> {
        let mask = self.shards.len() - 1;
        let tick = tick_of(context.now);
        let seed = self.shared.eviction_seed();
        let (start, stride) = walk_of(seed);
        let shards = self.shards.len() as u64;
        let wanted = limits::EVICTION_SAMPLE_ENTRIES * shards / self.shared.live_items().max(1);
        let wanted = wanted.max(limits::EVICTION_SAMPLE);
        (0..=mask)
            .map(|nth| start.wrapping_add(nth.wrapping_mul(stride)) & mask)
            .filter(|&shard| self.shared.tail(shard) != EMPTY_TAIL)
            .take(wanted as usize)
            .max_by_key(|&shard| {
                let age = ticks_since(tick, self.shared.tail(shard));
                // Of equals, not the one that was just written.
                (age, context.written != Some(shard))
            })
    }

    /// Evicts the coldest item. A few on the way that somebody reads right now are promoted: they
    /// would free nothing.
    fn evict_tail(&self, shard: &mut Shard, context: &mut OpContext) -> bool {
        for _ in 0..=limits::EVICTIONS_SKIPPED {
            let Some((slot, item)) = shard.table.coldest() else {
                return false;
            };
            if !item.is_unique() {
                shard.promote(&self.shared, slot, tick_of(context.now));
                continue;
            }
            self.evict_item(shard, slot, context);
            return true;
        }
        false
    }

    pub(super) fn evict_item(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        let Some(item) = shard.peek(slot) else {
            return;
        };
        if self.shared.is_flushed(item) || item.is_expired(context.now) {
            self.count_reclaimed(item);
            self.remove_expired(shard, slot, context);
        } else {
            let item = item.clone();
            self.shared.counters.count_eviction(&item, context.now);
            let at = SlotRef::of(slot, &item);
            let removal = Change::Remove { key: item.key() };
            shard.change(&self.shared, context, at, removal, Cause::Eviction);
        }
    }
}
