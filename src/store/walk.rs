//! Walks over all items in bounded steps, for dumps and statistics.
//!
//! A walk goes shard by shard. It notes a shard's slots in one hold of the lock and then shows
//! their items, a few in each hold. It can rest between two steps as long as it likes: nothing is
//! held meanwhile.

use super::item::Item;
use super::{Now, Store};
use crate::limits;

/// How far a walk has come. What nobody touches during the walk is seen exactly once; what is put,
/// replaced or removed meanwhile is seen once or not at all.
#[derive(Debug, Default)]
pub struct Walk {
    next_shard: usize,
    /// Slots of the shard before that one, hottest first.
    slots: Vec<u64>,
    next_slot: usize,
}

impl Walk {
    /// Whether all of the shard it is in has been seen.
    fn is_between_shards(&self) -> bool {
        self.next_slot == self.slots.len()
    }
}

impl Store {
    /// Shows the next items, [`limits::WALK_STEP_ENTRIES`] at most, dead ones that nobody has met
    /// yet included (see [`Store::is_live`]); a step may well show none. False when the walk is
    /// over.
    ///
    /// `show` runs under a shard's lock: it may copy, but neither wait nor use the store.
    pub fn walk_step(&self, walk: &mut Walk, mut show: impl FnMut(&Item)) -> bool {
        if walk.is_between_shards() {
            if walk.next_shard == self.shards.len() {
                return false;
            }
            self.note_slots(walk);
        }
        let left = &walk.slots[walk.next_slot..];
        let step = &left[..left.len().min(limits::WALK_STEP_ENTRIES)];
        if let Some(&first) = step.first() {
            let shard = self.shard(first).lock();
            let held = step.iter().filter_map(|&slot| shard.peek(slot));
            held.filter(|item| !item.is_tombstone()).for_each(&mut show);
        }
        walk.next_slot += step.len();
        true
    }

    /// Notes the slots of the next shard. Makes room for them without the lock; what comes in
    /// before the lock is held again is not seen.
    fn note_slots(&self, walk: &mut Walk) {
        let shard = &self.shards[walk.next_shard];
        walk.next_shard += 1;
        walk.next_slot = 0;
        walk.slots.clear();
        let entries = shard.lock().table.len();
        walk.slots.reserve(entries);
        let room = walk.slots.capacity();
        let shard = shard.lock();
        let slots = shard.entries().map(|(slot, _)| slot);
        walk.slots.extend(slots.take(room));
    }

    /// Whether a client would be shown this item.
    pub fn is_live(&self, item: &Item, now: Now) -> bool {
        !item.is_tombstone() && !self.shared.is_flushed(item) && !item.is_expired(now)
    }
}
