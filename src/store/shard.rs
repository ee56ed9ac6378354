//! One shard: a table, its expiry buckets, and what is needed to keep them true.
//!
//! Lookups are here; every change of an entry goes through [`super::mutate`].

use super::clock::Now;
use super::expiry_buckets::ExpiryBuckets;
use super::hash::{KeyHash, SLOTS_PER_KEY};
use super::item::Item;
use super::table::Table;
use super::tombstones::Tombstones;

/// Published as the tail of an empty shard.
pub(crate) const EMPTY_TAIL: u32 = u32::MAX;

/// See the module. `index` is its place among the shards.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(super) index: usize,
    pub(super) table: Table,
    pub(super) expiry_buckets: ExpiryBuckets,
    /// Entries that live in another slot than their hash's first.
    pub(super) displaced: usize,
    pub(super) tombstones: Tombstones,
}

/// Where a key's entry is, or goes.
pub(crate) enum Place<'a> {
    /// Its entry, live or a tombstone.
    Held(u64, &'a Item),
    /// It has none; this slot is free.
    Vacant(u64),
    /// It has none, and other keys have all its slots: the one in this slot must yield. It takes
    /// eight keys of one 64-bit hash.
    Full(u64),
}

impl<'a> Place<'a> {
    pub(crate) fn held(&self) -> Option<&'a Item> {
        match self {
            Self::Held(_, item) => Some(item),
            Self::Vacant(_) | Self::Full(_) => None,
        }
    }
}

impl Shard {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            table: Table::default(),
            expiry_buckets: ExpiryBuckets::default(),
            displaced: 0,
            tombstones: Tombstones::default(),
        }
    }

    /// The slot that holds `key`, live or as a tombstone. Keys are compared whole.
    #[inline(always)]
    pub(crate) fn find(&self, hash: KeyHash, key: &[u8]) -> Option<(u64, &Item)> {
        let slot = hash.slot();
        match self.table.peek(slot) {
            Some(item) if item.key() == key => Some((slot, item)),
            _ if self.displaced == 0 => None,
            _ => self.find_displaced(hash, key),
        }
    }

    #[cold]
    fn find_displaced(&self, hash: KeyHash, key: &[u8]) -> Option<(u64, &Item)> {
        (1..SLOTS_PER_KEY).find_map(|nth| {
            let slot = hash.nth_slot(nth);
            let item = self.table.peek(slot)?;
            (item.key() == key).then_some((slot, item))
        })
    }

    /// The entry of `key`, or where it goes.
    pub(crate) fn locate(&self, hash: KeyHash, key: &[u8]) -> Place<'_> {
        let slot = hash.slot();
        match self.table.peek(slot) {
            Some(item) if item.key() == key => Place::Held(slot, item),
            None if self.displaced == 0 => Place::Vacant(slot),
            _ => self.locate_displaced(hash, key),
        }
    }

    /// The first of the key's slots that no other key has; if all are taken, one with a tombstone.
    #[cold]
    fn locate_displaced(&self, hash: KeyHash, key: &[u8]) -> Place<'_> {
        if let Some((slot, item)) = self.find_displaced(hash, key) {
            return Place::Held(slot, item);
        }
        let mut slots = (0..SLOTS_PER_KEY).map(|nth| hash.nth_slot(nth));
        if let Some(slot) = slots.clone().find(|slot| !self.table.contains(*slot)) {
            return Place::Vacant(slot);
        }
        let last = hash.nth_slot(SLOTS_PER_KEY - 1);
        let is_tombstone = |slot: &u64| self.table.peek(*slot).is_some_and(Item::is_tombstone);
        Place::Full(slots.find(is_tombstone).unwrap_or(last))
    }

    /// Whatever is in a slot.
    pub(crate) fn peek(&self, slot: u64) -> Option<&Item> {
        self.table.peek(slot)
    }

    /// All entries with their slots: live items hottest first, then tombstones.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, &Item)> {
        self.table.entries()
    }

    /// Queues an entry whose bucket has fired too early for its deadline.
    pub(crate) fn requeue(&mut self, slot: u64, now: Now) {
        if let Some(item) = self.table.peek(slot) {
            self.expiry_buckets.watch(&self.table, slot, item, now);
        }
    }

    /// The tick of the coldest live item's last promotion.
    pub(crate) fn tail_tick(&self) -> u32 {
        self.table
            .coldest()
            .map_or(EMPTY_TAIL, |(_, item)| item.promoted())
    }
}
