//! One shard: a table in LRU order, its expiry wheel, and what is needed to keep them true.
//!
//! Lookups are here; every change of an entry goes through [`super::door`].

use std::collections::VecDeque;

use lru::LruCache;

use super::hash::{BuildIdentity, KeyHash, SLOTS_PER_KEY};
use super::item::Item;
use super::wheel::Wheel;

/// Published as the tail of an empty shard.
pub(crate) const EMPTY_TAIL: u32 = u32::MAX;

/// See the module. `index` is its place among the shards.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(super) index: usize,
    /// Unbounded: at a capacity the crate evicts without a word.
    pub(super) table: LruCache<u64, Item, BuildIdentity>,
    pub(super) wheel: Wheel,
    /// Entries that live in another slot than their hash's first.
    pub(super) displaced: usize,
    /// Slots of tombstones, oldest first; some may be gone already.
    pub(super) tombstone_order: VecDeque<u64>,
    pub(super) tombstones: usize,
}

impl Shard {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            table: LruCache::unbounded_with_hasher(BuildIdentity),
            wheel: Wheel::default(),
            displaced: 0,
            tombstone_order: VecDeque::new(),
            tombstones: 0,
        }
    }

    /// The slot that holds `key`, live or as a tombstone. Keys are compared whole.
    pub(crate) fn find(&self, hash: KeyHash, key: &[u8]) -> Option<(u64, &Item)> {
        let slot = hash.slot();
        match self.table.peek(&slot) {
            Some(item) if item.key() == key => Some((slot, item)),
            _ if self.displaced == 0 => None,
            _ => (1..SLOTS_PER_KEY).find_map(|nth| {
                let slot = hash.nth_slot(nth);
                self.table
                    .peek(&slot)
                    .filter(|item| item.key() == key)
                    .map(|item| (slot, item))
            }),
        }
    }

    /// Where a key that is not in the table goes: the first of its slots that no other key has.
    /// If all are taken (which needs eight keys of one 64-bit hash) the last one's key yields.
    pub(crate) fn vacant_slot(&self, hash: KeyHash) -> u64 {
        (0..SLOTS_PER_KEY)
            .map(|nth| hash.nth_slot(nth))
            .find(|slot| !self.table.contains(slot))
            .unwrap_or_else(|| hash.nth_slot(SLOTS_PER_KEY - 1))
    }

    /// Whatever is in a slot.
    pub(crate) fn peek(&self, slot: u64) -> Option<&Item> {
        self.table.peek(&slot)
    }

    /// All slots, hottest first.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u64> + '_ {
        self.table.iter().map(|(slot, _)| *slot)
    }

    /// The tick of the coldest entry's last promotion.
    pub(crate) fn tail_tick(&self) -> u32 {
        self.table
            .peek_lru()
            .map_or(EMPTY_TAIL, |(_, item)| item.promoted())
    }
}
