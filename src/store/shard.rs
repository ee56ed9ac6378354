//! One shard: a table and its expiry buckets.
//!
//! Lookups are here; every change of an entry goes through [`super::mutate`].

use super::clock::Now;
use super::digests::Digests;
use super::expiry_buckets::ExpiryBuckets;
use super::hash::KeyHash;
use super::item::Item;
use super::table::Table;
use super::unprotected::Unprotected;
use crate::limits::SLOTS_PER_KEY;

/// The published tail of an empty shard.
pub(crate) const EMPTY_TAIL: u32 = u32::MAX;

/// One shard. `index` is its place among the shards.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(super) index: usize,
    pub(super) table: Table,
    pub(super) expiry_buckets: ExpiryBuckets,
    /// The number of entries that are not in the first slot of their key.
    pub(super) displaced: usize,
    pub(super) digests: Digests,
    /// The items that the partner is not known to hold.
    pub(super) unprotected: Unprotected,
}

/// The slot of a key's entry, or the slot where it would be put.
pub(crate) enum Place<'a> {
    /// The key has this entry, an item or a tombstone.
    Held(u64, &'a Item),
    /// The key has no entry; this slot is free.
    Vacant(u64),
    /// The key has no entry, and other keys are in all of its slots: the entry in this one is to be
    /// replaced. That takes nine keys with the same hash.
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
    pub(crate) fn new(index: usize, digests: Digests) -> Self {
        Self {
            index,
            digests,
            table: Table::default(),
            expiry_buckets: ExpiryBuckets::default(),
            displaced: 0,
            unprotected: Unprotected::default(),
        }
    }

    /// The entry of `key` and its slot. Keys are compared whole.
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

    /// The entry of `key`, or the slot where it would be put.
    pub(crate) fn locate(&self, hash: KeyHash, key: &[u8]) -> Place<'_> {
        let slot = hash.slot();
        match self.table.peek(slot) {
            Some(item) if item.key() == key => Place::Held(slot, item),
            None if self.displaced == 0 => Place::Vacant(slot),
            _ => self.locate_displaced(hash, key),
        }
    }

    /// The first of the key's slots that is free; if none is, one with a tombstone, else the last.
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

    /// Queues an entry again whose bucket has fired before its deadline.
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
