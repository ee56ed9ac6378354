//! The entries of one shard: live items in LRU order, and tombstones beside them.
//!
//! A tombstone must outlive the item whose removal it carries, so no eviction may take it. Among
//! the items in LRU order tombstones filled the cold end, and every eviction had to pass them.

use std::collections::HashMap;

use lru::LruCache;

use super::hash::BuildIdentity;
use super::item::Item;

/// Tombstones' places that are kept when none is left.
const PLACES_KEPT: usize = 64;

/// See the module. A slot holds one entry of either kind, or none.
#[derive(Debug)]
pub(crate) struct Table {
    /// Unbounded: at a capacity the crate evicts without a word.
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

    /// Whatever is in a slot.
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

    /// Puts an item into its slot, a live one at the hot end; what was in it.
    pub(crate) fn put(&mut self, slot: u64, item: Item) -> Option<Item> {
        if item.is_tombstone() {
            let old = self.live.pop(&slot);
            return self.tombstones.insert(slot, item).or(old);
        }
        let old = self.remove_tombstone(slot);
        self.live.push(slot, item).map(|(_, old)| old).or(old)
    }

    /// The same in the place of the live item that was there, or at the cold end.
    pub(crate) fn put_cold(&mut self, slot: u64, item: Item) -> Option<Item> {
        if let Some(place) = self.live.peek_mut(&slot) {
            return Some(std::mem::replace(place, item));
        }
        let old = self.put(slot, item);
        self.live.demote(&slot);
        old
    }

    /// Empties a slot; what was in it.
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

    /// The live item that was used last.
    pub(crate) fn hottest(&self) -> Option<&Item> {
        self.live.peek_mru().map(|(_, item)| item)
    }

    /// The live item that has not been used for longest.
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
