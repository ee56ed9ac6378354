//! The entries of one shard: live items in LRU order, and tombstones beside them.
//!
//! A tombstone may not be evicted, because the partner would not learn of the deletion. Tombstones
//! are not in the LRU list: they would collect at its cold end, and every eviction would have to
//! skip them.

use std::collections::HashMap;

use lru::LruCache;

use super::hash::BuildIdentity;
use super::item::Item;

/// The capacity for tombstones that is kept when none is left: a few deletions need not allocate.
const PLACES_KEPT: usize = 64;

/// The entries of one shard. A slot holds one entry of either kind, or none.
#[derive(Debug)]
pub(crate) struct Table {
    /// Unbounded, because with a capacity the crate evicts by itself.
    live: LruCache<u64, Item, BuildIdentity>,
    tombstones: HashMap<u64, Item, BuildIdentity>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            live: LruCache::unbounded_with_hasher(BuildIdentity),
            tombstones: HashMap::with_hasher(BuildIdentity),
        }
    }
}

impl Table {
    /// Entries of both kinds.
    pub(crate) fn len(&self) -> usize {
        self.live.len() + self.tombstones.len()
    }

    pub(crate) fn live_len(&self) -> usize {
        self.live.len()
    }

    /// The entry of a slot.
    #[inline(always)]
    pub(crate) fn peek(&self, slot: u64) -> Option<&Item> {
        match self.live.peek(&slot) {
            None if !self.tombstones.is_empty() => self.tombstones.get(&slot),
            live => live,
        }
    }

    pub(crate) fn contains(&self, slot: u64) -> bool {
        self.peek(slot).is_some()
    }

    /// Puts an entry into its slot, a live item at the hot end. Returns the entry it replaces.
    pub(crate) fn put(&mut self, slot: u64, item: Item) -> Option<Item> {
        if item.is_tombstone() {
            let old = self.live.pop(&slot);
            return self.tombstones.insert(slot, item).or(old);
        }
        let old = self.remove_tombstone(slot);
        self.live.push(slot, item).map(|(_, old)| old).or(old)
    }

    /// Puts a live item in the place of the live item in its slot, else at the cold end. Returns
    /// the entry it replaces.
    pub(crate) fn put_cold(&mut self, slot: u64, item: Item) -> Option<Item> {
        if let Some(place) = self.live.peek_mut(&slot) {
            return Some(std::mem::replace(place, item));
        }
        let old = self.put(slot, item);
        self.live.demote(&slot);
        old
    }

    /// Empties a slot. Returns the entry that was in it.
    pub(crate) fn remove(&mut self, slot: u64) -> Option<Item> {
        let live = self.live.pop(&slot);
        live.or_else(|| self.remove_tombstone(slot))
    }

    fn remove_tombstone(&mut self, slot: u64) -> Option<Item> {
        if self.tombstones.is_empty() {
            return None;
        }
        let old = self.tombstones.remove(&slot);
        if self.tombstones.is_empty() && self.tombstones.capacity() > PLACES_KEPT {
            self.tombstones.shrink_to(PLACES_KEPT);
        }
        old
    }

    /// Moves a live item to the hot end.
    pub(crate) fn promote(&mut self, slot: u64) -> Option<&Item> {
        self.live.get(&slot)
    }

    /// The live item that was promoted last.
    pub(crate) fn hottest(&self) -> Option<&Item> {
        self.live.peek_mru().map(|(_, item)| item)
    }

    /// The live item whose last promotion is the longest ago.
    pub(crate) fn coldest(&self) -> Option<(u64, &Item)> {
        self.live.peek_lru().map(|(slot, item)| (*slot, item))
    }

    /// All live items with their slots, coldest first.
    pub(crate) fn coldest_first(&self) -> impl Iterator<Item = (u64, &Item)> {
        self.live.iter().rev().map(|(slot, item)| (*slot, item))
    }

    /// All entries with their slots: live items hottest first, then tombstones.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, &Item)> {
        let entries = self.live.iter().chain(&self.tombstones);
        entries.map(|(slot, item)| (*slot, item))
    }
}
