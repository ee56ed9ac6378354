//! What a housekeeping thread does about once a second: expire, free, fire.

use std::sync::atomic::Ordering;

use super::op_context::Batch;
use super::{Item, Now, Store};
use crate::limits;

impl Store {
    /// Removes what has expired, shard by shard, a few entries per hold of a lock. `hand_over`
    /// gets the batch whenever it carries news for the partner.
    pub fn expire(&self, now: Now, mut hand_over: impl FnMut(&mut Batch)) {
        let mut batch = Batch::at(now);
        let mut fired = Vec::with_capacity(limits::EXPIRY_STEP_ENTRIES);
        let mut early_left = limits::EXPIRY_EARLY_ENTRIES;
        for index in 0..self.shards.len() {
            while self.expire_step(index, &mut batch, &mut fired) {}
            self.expire_early(index, &mut batch, &mut fired, &mut early_left);
            if batch.dirty.len() >= limits::EXPIRY_STEP_ENTRIES {
                hand_over(&mut batch);
            }
        }
        hand_over(&mut batch);
        self.reclaim_flushed(&mut batch);
        self.shared.sweep_pinned();
    }

    /// Frees what the last flush killed, once per flush: without deadlines and under `-M` nothing
    /// else would. Tombstones, too: whatever older value the partner may still hold dies by the
    /// floor, which it is told before any record, and a record below the floor is refused here.
    fn reclaim_flushed(&self, batch: &mut Batch) {
        let floor = self.floor();
        let before = self.reclaimed_floor.swap(floor.get(), Ordering::Relaxed);
        if before == floor.get() {
            return;
        }
        let mut dead = Vec::new();
        for shard in &self.shards {
            dead.clear();
            let is_dead = |item: &Item| item.stamp() < floor;
            let locked = shard.lock();
            dead.extend(
                locked
                    .entries()
                    .filter(|(_, item)| is_dead(item))
                    .map(|(slot, _)| slot),
            );
            drop(locked);
            for step in dead.chunks(limits::EXPIRY_STEP_ENTRIES) {
                let mut locked = shard.lock();
                for &slot in step {
                    if locked.peek(slot).is_some_and(is_dead) {
                        self.bury(&mut locked, slot, batch);
                    }
                }
                drop(locked);
                self.shared.free_retired(batch);
            }
        }
    }

    /// Where few items are about to expire, those that are overdue go before their bucket fires:
    /// a small cache gives their memory back within a second.
    fn expire_early(
        &self,
        index: usize,
        batch: &mut Batch,
        next: &mut Vec<(u32, u64)>,
        entries_left: &mut usize,
    ) {
        next.clear();
        let most = limits::EXPIRY_STEP_ENTRIES.min(*entries_left);
        let mut shard = self.shards[index].lock();
        shard.wheel.next_to_fire(batch.now, most, next);
        *entries_left -= next.len();
        for &(bucket, slot) in next.iter() {
            let is_overdue = |item: &&Item| {
                item.wheel_slot() == bucket && !item.is_tombstone() && item.is_expired(batch.now)
            };
            if shard.peek(slot).filter(is_overdue).is_some() {
                self.bury(&mut shard, slot, batch);
            }
        }
        drop(shard);
        self.shared.free_retired(batch);
    }

    /// One hold of one shard's lock; true if more has fired.
    fn expire_step(&self, index: usize, batch: &mut Batch, fired: &mut Vec<(u32, u64)>) -> bool {
        let mut shard = self.shards[index].lock();
        fired.clear();
        let more = shard
            .wheel
            .fired(batch.now, limits::EXPIRY_STEP_ENTRIES, fired);
        for &(bucket, slot) in fired.iter() {
            let Some(item) = shard.peek(slot).filter(|item| item.wheel_slot() == bucket) else {
                continue;
            };
            item.set_wheel_slot(0);
            if item.is_tombstone() {
                continue;
            }
            if self.shared.is_flushed(item) || item.is_expired(batch.now) {
                self.bury(&mut shard, slot, batch);
            } else {
                shard.requeue(slot, batch.now);
            }
        }
        drop(shard);
        self.shared.free_retired(batch);
        more
    }
}
