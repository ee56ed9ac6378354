//! Eviction: samples the coldest items of a few shards and evicts the coldest of these, until the
//! memory account is within its budget.

use std::sync::Arc;

use super::Store;
use super::item::{tick_of, ticks_since};
use super::mutate::{Cause, Change, SlotRef};
use super::observer::Observer;
use super::op_context::OpContext;
use super::shard::{EMPTY_TAIL, Shard};
use super::shared::walk_of;
use crate::limits;
use crate::rules::{Rule, holds};

impl Store {
    /// Frees the entries that changes have retired, and evicts if the account is over its budget.
    /// Called without a lock, after every change and after every charge of something else.
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

    /// Evicts one item. False if it found none after [`limits::EVICTION_TRIES`] samples, which
    /// bounds the work of one change; the next change samples other shards.
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
        // All sampled items are in use. Evict from the shard that was just written.
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

    /// Reports the evicted items to the observer, and frees them. Called without a lock.
    pub(super) fn after_eviction(&self, context: &mut OpContext) {
        if context.observer.is_some() || context.is_background {
            self.report_evictions(context);
        }
        self.shared.free_retired(context);
    }

    /// The shard with the coldest tail in a random sample. The fewer items a shard holds, the more
    /// shards are sampled: the tail of a shard with one item is no colder than a random item.
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
                // Of equally cold tails, not that of the shard that was just written.
                (age, context.written != Some(shard))
            })
    }

    /// Evicts the coldest item of a shard. A few items that are being sent to clients are promoted
    /// instead: evicting them would free no memory yet.
    fn evict_tail(&self, shard: &mut Shard, context: &mut OpContext) -> bool {
        if !holds(Rule::TombstonesAreNotEvicted)
            && let Some(slot) = shard.table.oldest_tombstone()
        {
            self.remove_entry(shard, slot, context);
            return true;
        }
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

    /// Forgets an entry, with [`Rule::TombstonesAreNotEvicted`] taken away.
    fn remove_entry(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        let Some(entry) = shard.table.peek(slot).cloned() else {
            return;
        };
        let removal = Change::Remove { key: entry.key() };
        let at = SlotRef::of(slot, &entry);
        shard.mutate(&self.shared, context, at, removal, Cause::Reclaim);
    }

    pub(super) fn evict_item(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        let Some(item) = shard.table.peek(slot) else {
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
            shard.mutate(&self.shared, context, at, removal, Cause::Eviction);
        }
    }

    /// Sets the observer of evictions that no client's command causes: the partner's writes and a
    /// lower memory limit do. Only the first call has an effect.
    pub fn set_background_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.background_observer.set(observer);
    }

    /// Reports the live items among those that an eviction has just removed.
    #[cold]
    pub(super) fn report_evictions(&self, context: &OpContext) {
        let background = self.background_observer.get();
        let background = background.filter(|_| context.is_background);
        let Some(observer) = context.observer.as_ref().or(background) else {
            return;
        };
        for item in &context.retired {
            let is_dead = self.shared.is_flushed(item) || item.is_expired(context.now);
            if !item.is_tombstone() && !is_dead {
                observer.evicted(item, context.now);
            }
        }
    }
}
