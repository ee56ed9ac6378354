//! The entries of one shard: live items in LRU order, and tombstones beside them.
//!
//! A tombstone may not be evicted, because the partner would not learn of the deletion. Tombstones
//! are in a list of their own: among the items they would collect at the cold end, and every
//! eviction would have to skip them.

use super::item::Item;
use super::lru_list::LruList;

/// The entries of one shard. A slot holds one entry of either kind, or none.
#[derive(Debug, Default)]
pub(crate) struct Table {
    live: LruList,
    /// The one that was made first at the cold end.
    tombstones: LruList,
}

impl Table {
    /// Entries of both kinds.
    pub(crate) fn len(&self) -> usize {
        self.live.len() + self.tombstones.len()
    }

    pub(crate) fn live_len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn tombstones_len(&self) -> usize {
        self.tombstones.len()
    }

    /// The slot of the tombstone that was made first.
    pub(crate) fn oldest_tombstone(&self) -> Option<u64> {
        self.tombstones.coldest().map(|(slot, _)| slot)
    }

    /// The entry of a slot.
    #[inline(always)]
    pub(crate) fn peek(&self, slot: u64) -> Option<&Item> {
        match self.live.peek(slot) {
            None if !self.tombstones.is_empty() => self.tombstones.peek(slot),
            live => live,
        }
    }

    pub(crate) fn contains(&self, slot: u64) -> bool {
        self.peek(slot).is_some()
    }

    /// Puts an entry into its slot, a live item at the hot end. Returns the entry it replaces.
    pub(crate) fn put(&mut self, slot: u64, item: Item) -> Option<Item> {
        if item.is_tombstone() {
            let old = self.live.remove(slot);
            return self.tombstones.put(slot, item).or(old);
        }
        let old = self.remove_tombstone(slot);
        self.live.put(slot, item).or(old)
    }

    /// Puts a live item in the place of the live item in its slot, else at the cold end. Returns
    /// the entry it replaces.
    pub(crate) fn put_cold(&mut self, slot: u64, item: Item) -> Option<Item> {
        if let Some(place) = self.live.peek_mut(slot) {
            return Some(std::mem::replace(place, item));
        }
        let old = self.put(slot, item);
        self.live.demote(slot);
        old
    }

    /// Empties a slot. Returns the entry that was in it.
    pub(crate) fn remove(&mut self, slot: u64) -> Option<Item> {
        let live = self.live.remove(slot);
        live.or_else(|| self.remove_tombstone(slot))
    }

    fn remove_tombstone(&mut self, slot: u64) -> Option<Item> {
        if self.tombstones.is_empty() {
            return None;
        }
        self.tombstones.remove(slot)
    }

    /// Moves a live item to the hot end.
    pub(crate) fn promote(&mut self, slot: u64) -> Option<&Item> {
        self.live.promote(slot)
    }

    /// The live item that was promoted last.
    pub(crate) fn hottest(&self) -> Option<&Item> {
        self.live.hottest()
    }

    /// The live item whose last promotion is the longest ago.
    pub(crate) fn coldest(&self) -> Option<(u64, &Item)> {
        self.live.coldest()
    }

    /// All live items with their slots, coldest first.
    pub(crate) fn coldest_first(&self) -> impl Iterator<Item = (u64, &Item)> {
        self.live.iter().rev()
    }

    /// All tombstones with their slots.
    pub(crate) fn tombstones(&self) -> impl Iterator<Item = (u64, &Item)> {
        self.tombstones.iter()
    }

    /// All entries with their slots: live items hottest first, then tombstones.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, &Item)> {
        self.live.iter().chain(self.tombstones.iter())
    }
}
