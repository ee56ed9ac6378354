//! Items by slot, in LRU order, in a list whose hash index stays in proportion to its items.
//!
//! A removal leaves a mark in a hash table, and a table that is full of items and marks doubles
//! when items are more than half of it; none ever shrinks by itself. Where entries come and go, as
//! in a full cache, every index would be twice as long as its items need.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::hash::BuildIdentity;
use super::item::Item;
use crate::limits::{INDEX_CHECK_CHANGES_MIN, INDEX_CHECK_SHARE};

/// Both are beyond what any memory holds. Only a capacity that changes shrinks the index.
const CAPACITIES: [NonZeroUsize; 2] = [
    NonZeroUsize::MAX,
    NonZeroUsize::MIN.saturating_add(usize::MAX >> 1),
];

/// Items by slot, the most recently used at the hot end.
#[derive(Debug)]
pub(crate) struct LruList {
    /// Unbounded: at a capacity the crate evicts without a word.
    items: LruCache<u64, Item, BuildIdentity>,
    /// Slots put and removed since the index was last checked.
    changes: usize,
}

impl Default for LruList {
    fn default() -> Self {
        Self {
            items: LruCache::unbounded_with_hasher(BuildIdentity),
            changes: 0,
        }
    }
}

impl LruList {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    #[inline(always)]
    pub(super) fn peek(&self, slot: u64) -> Option<&Item> {
        self.items.peek(&slot)
    }

    pub(super) fn peek_mut(&mut self, slot: u64) -> Option<&mut Item> {
        self.items.peek_mut(&slot)
    }

    /// Puts an item at the hot end. Returns the item it replaces.
    #[inline(always)]
    pub(super) fn put(&mut self, slot: u64, item: Item) -> Option<Item> {
        let old = self.items.put(slot, item);
        if old.is_none() {
            self.count_change();
        }
        old
    }

    pub(super) fn remove(&mut self, slot: u64) -> Option<Item> {
        let old = self.items.pop(&slot);
        if old.is_some() {
            self.count_change();
        }
        old
    }

    /// Moves an item to the hot end.
    pub(super) fn promote(&mut self, slot: u64) -> Option<&Item> {
        self.items.get(&slot)
    }

    /// Moves an item to the cold end.
    pub(super) fn demote(&mut self, slot: u64) {
        self.items.demote(&slot);
    }

    pub(super) fn hottest(&self) -> Option<&Item> {
        self.items.peek_mru().map(|(_, item)| item)
    }

    pub(super) fn coldest(&self) -> Option<(u64, &Item)> {
        self.items.peek_lru().map(|(slot, item)| (*slot, item))
    }

    /// All items with their slots, hottest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Item)> {
        self.items.iter().map(|(slot, item)| (*slot, item))
    }

    #[inline(always)]
    fn count_change(&mut self) {
        self.changes += 1;
        if self.changes > INDEX_CHECK_CHANGES_MIN.max(self.items.len() / INDEX_CHECK_SHARE) {
            self.check_index();
        }
    }

    /// Shrinks an index that is longer than its items need, unless it would soon double again: of
    /// one that needs `places`, items that fill more than five eighths pay for twice as many places
    /// themselves.
    #[cold]
    fn check_index(&mut self) {
        self.changes = 0;
        let items = self.items.len();
        let places = (items * 8 / 7).next_power_of_two();
        if items * 8 <= places * 5 {
            let [usual, other] = CAPACITIES;
            let is_usual = self.items.cap() == usual;
            self.items.resize(if is_usual { other } else { usual });
        }
    }
}
