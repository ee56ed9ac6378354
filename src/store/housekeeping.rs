//! The store's part of housekeeping, once a second: removes expired and flushed items.

use std::sync::atomic::Ordering;

use super::op_context::OpContext;
use super::{Item, Now, Store};
use crate::limits;

impl Store {
    /// Removes what has expired, shard by shard, a few entries per hold of a lock. `send_changes`
    /// gets the context whenever it carries news for the partner.
    pub fn expire(&self, now: Now, mut send_changes: impl FnMut(&mut OpContext)) {
        let mut context = OpContext::at(now);
        let mut fired = Vec::with_capacity(limits::EXPIRY_STEP_ENTRIES);
        let mut early_left = limits::EXPIRY_EARLY_ENTRIES;
        for index in 0..self.shards.len() {
            while self.expire_step(index, &mut context, &mut fired) {}
            self.expire_early(index, &mut context, &mut fired, &mut early_left);
            if context.dirty.len() >= limits::EXPIRY_STEP_ENTRIES {
                send_changes(&mut context);
            }
        }
        send_changes(&mut context);
        self.reclaim_flushed(&mut context);
        self.shared.sweep_pinned();
    }

    /// Removes everything below the flush watermark, once per flush: without deadlines and under
    /// `-M` nothing else would. That includes tombstones: the partner gets the watermark before any
    /// record, which invalidates its older values, and records below the watermark are refused
    /// here.
    fn reclaim_flushed(&self, context: &mut OpContext) {
        let flush_watermark = self.flush_watermark();
        let before = self
            .reclaimed_watermark
            .swap(flush_watermark.get(), Ordering::Relaxed);
        if before == flush_watermark.get() {
            return;
        }
        let mut dead = Vec::new();
        for shard in &self.shards {
            dead.clear();
            let is_dead = |item: &Item| item.timestamp() < flush_watermark;
            let locked = shard.lock();
            let entries = locked.table.entries().filter(|(_, item)| is_dead(item));
            dead.extend(entries.map(|(slot, _)| slot));
            drop(locked);
            for step in dead.chunks(limits::EXPIRY_STEP_ENTRIES) {
                let mut locked = shard.lock();
                for &slot in step {
                    if locked.table.peek(slot).is_some_and(is_dead) {
                        self.remove_expired(&mut locked, slot, context);
                    }
                }
                drop(locked);
                self.shared.free_retired(context);
            }
        }
    }

    /// Removes expired items of the bucket that fires next, in shards where these are few: a small
    /// cache frees their memory within a second instead of up to 16.
    fn expire_early(
        &self,
        index: usize,
        context: &mut OpContext,
        next: &mut Vec<(u32, u64)>,
        entries_left: &mut usize,
    ) {
        next.clear();
        let most = limits::EXPIRY_STEP_ENTRIES.min(*entries_left);
        let mut shard = self.shards[index].lock();
        shard.expiry_buckets.next_to_fire(context.now, most, next);
        *entries_left -= next.len();
        for &(bucket, slot) in next.iter() {
            let is_overdue = |item: &&Item| {
                item.expiry_bucket() == bucket
                    && !item.is_tombstone()
                    && item.is_expired(context.now)
            };
            if shard.table.peek(slot).filter(is_overdue).is_some() {
                self.remove_expired(&mut shard, slot, context);
            }
        }
        drop(shard);
        self.shared.free_retired(context);
    }

    /// Removes fired items in one hold of the shard's lock. True if more have fired.
    fn expire_step(
        &self,
        index: usize,
        context: &mut OpContext,
        fired: &mut Vec<(u32, u64)>,
    ) -> bool {
        let mut shard = self.shards[index].lock();
        fired.clear();
        let more = shard
            .expiry_buckets
            .fired(context.now, limits::EXPIRY_STEP_ENTRIES, fired);
        for &(bucket, slot) in fired.iter() {
            let item = shard.table.peek(slot);
            let Some(item) = item.filter(|item| item.expiry_bucket() == bucket) else {
                continue;
            };
            item.set_expiry_bucket(0);
            if item.is_tombstone() {
                continue;
            }
            if self.shared.is_flushed(item) || item.is_expired(context.now) {
                self.remove_expired(&mut shard, slot, context);
            } else {
                shard.requeue(slot, context.now);
            }
        }
        drop(shard);
        self.shared.free_retired(context);
        more
    }
}
