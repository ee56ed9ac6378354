//! What a housekeeping thread does about once a second: expire, free, fire.

use super::batch::Batch;
use super::{Now, Store};
use crate::limits;

impl Store {
    /// Removes what has expired, shard by shard, a few entries per hold of a lock. `hand_over`
    /// gets the batch whenever it carries news for the partner.
    pub fn expire(&self, now: Now, mut hand_over: impl FnMut(&mut Batch)) {
        let mut batch = Batch::at(now);
        let mut fired = Vec::with_capacity(limits::EXPIRY_STEP_ENTRIES);
        for index in 0..self.shards.len() {
            while self.expire_step(index, &mut batch, &mut fired) {}
            if batch.dirty.len() >= limits::EXPIRY_STEP_ENTRIES {
                hand_over(&mut batch);
            }
        }
        hand_over(&mut batch);
        self.shared.sweep_pinned();
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
                let item = item.clone();
                shard.queue_expiry(batch, slot, &item);
                batch.retired.push(item);
            }
        }
        drop(shard);
        self.shared.free_retired(batch);
        more
    }
}
