//! Lists of a shard's entries by bucket, for the comparison with the partner's table.

use super::Store;
use super::digests::key_hash;
use super::hash;
use super::hlc::Version;
use super::item::Item;

/// An entry of the table as it was when its shard was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedEntry {
    /// The first half of the hash of its key. Both nodes of a pair have the same.
    pub hash: u64,
    /// Where it is in the table here.
    pub slot: u64,
    /// Its version.
    pub version: Version,
    /// Its place in the order of use: 0 is the hottest item of the shard.
    pub rank: u32,
    /// Whether it is a tombstone.
    pub is_tombstone: bool,
    /// Whether the partner is known to hold it.
    pub is_confirmed: bool,
}

impl ListedEntry {
    /// Its bucket.
    pub fn bucket(&self) -> usize {
        usize::from(hash::bucket_of(self.hash))
    }
}

impl Store {
    /// Lists the entries of a shard in the order of their buckets and hashes, expired ones too, but
    /// not what a flush has invalidated. A whole shard in one hold of its lock.
    pub fn list_shard(&self, shard: usize, entries: &mut Vec<ListedEntry>) {
        entries.clear();
        let Some(shard) = self.shards.get(shard) else {
            return;
        };
        // Memory is allocated without the lock.
        let count = shard.lock().table.len();
        entries.reserve(count);
        let locked = shard.lock();
        for (rank, (slot, item)) in locked.table.entries().enumerate() {
            if !self.shared.is_flushed(item) {
                entries.push(self.listed(slot, rank, item));
            }
        }
        drop(locked);
        entries.sort_unstable_by_key(|entry| (entry.bucket(), entry.hash));
    }

    fn listed(&self, slot: u64, rank: usize, item: &Item) -> ListedEntry {
        ListedEntry {
            hash: key_hash(&self.shared.hasher, slot, item),
            slot,
            version: item.version(),
            rank: rank as u32,
            is_tombstone: item.is_tombstone(),
            is_confirmed: self.is_protected(item),
        }
    }

    /// Appends the slots of a shard's tombstones.
    pub fn tombstones_of(&self, shard: usize, slots: &mut Vec<u64>) {
        if let Some(shard) = self.shards.get(shard) {
            slots.extend(shard.lock().table.tombstones().map(|(slot, _)| slot));
        }
    }
}
