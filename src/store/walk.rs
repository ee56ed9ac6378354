//! Walks over all items in bounded steps, for dumps and statistics.
//!
//! A walk goes shard by shard. It copies a shard's slots in one hold of the lock, and then visits
//! their items, a few in each hold. Between two steps it holds nothing, so it may pause.

use super::item::Item;
use super::{Now, Store};
use crate::limits;

/// The position of a walk. An item that does not change during the walk is visited exactly once;
/// one that is put, replaced or removed meanwhile is visited once or not at all.
#[derive(Debug, Default)]
pub struct Walk {
    next_shard: usize,
    /// Slots of the shard before that one, hottest first.
    slots: Vec<u64>,
    next_slot: usize,
}

impl Walk {
    /// Whether all slots of the current shard were visited.
    fn is_between_shards(&self) -> bool {
        self.next_slot == self.slots.len()
    }
}

impl Store {
    /// Visits the next items, at most [`limits::WALK_STEP_ENTRIES`], including expired and flushed
    /// ones that were not removed yet (see [`Store::is_live`]). A step may visit none. False when
    /// the walk is over.
    ///
    /// `show` runs under a shard's lock: it may copy, but neither block nor use the store.
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
            let held = step.iter().filter_map(|&slot| shard.table.peek(slot));
            held.filter(|item| !item.is_tombstone()).for_each(&mut show);
        }
        walk.next_slot += step.len();
        true
    }

    /// Copies the slots of the next shard. Their memory is allocated without the lock; entries that
    /// are added before the lock is taken again may be missed.
    fn note_slots(&self, walk: &mut Walk) {
        let shard = &self.shards[walk.next_shard];
        walk.next_shard += 1;
        walk.next_slot = 0;
        walk.slots.clear();
        let entries = shard.lock().table.len();
        walk.slots.reserve(entries);
        let room = walk.slots.capacity();
        let shard = shard.lock();
        let slots = shard.table.entries().map(|(slot, _)| slot);
        walk.slots.extend(slots.take(room));
    }

    /// Whether a client would be shown this item.
    pub fn is_live(&self, item: &Item, now: Now) -> bool {
        !item.is_tombstone() && !self.shared.is_flushed(item) && !item.is_expired(now)
    }
}
