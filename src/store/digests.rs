//! Digests of the table: one sum for each of 65,536 buckets of keys, by which two nodes find out
//! where their tables differ without sending them.
//!
//! The bucket of a key is a part of its hash, and both nodes of a pair hash with the same secret,
//! so they agree on it whatever their numbers of shards are. A bucket lies in one shard, whose lock
//! guards its sum.
//!
//! A sum is that of a number for each live item, made of the hash of its key and of its version: it
//! does not depend on the order in which items came, and two nodes with equal sums hold the same
//! items. (With other items it is equal once in 2^64 times.) Items with the same key and version
//! have the same value on both nodes. Deadlines are not in it, for each node has them on its own
//! clock.
//!
//! Tombstones do not count: the partner keeps none, so sums with them would never be equal. Every
//! tombstone is unconfirmed, and is sent whatever the sums are.

use super::Store;
use super::hash::{self, KeyHasher};
use super::hlc::Version;
use super::item::Item;
use crate::limits::sizes;

/// The sums of one shard's buckets; none on a node without a partner.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    sums: Box<[u64]>,
}

impl Digests {
    /// Of an empty shard, of `1 << shard_bits`.
    pub(super) fn of_shard(shard_bits: u32) -> Self {
        Self {
            sums: vec![0; sizes().buckets() >> shard_bits].into_boxed_slice(),
        }
    }

    /// The entry of a slot was replaced, put or removed.
    #[inline]
    pub(super) fn replace(
        &mut self,
        hasher: &KeyHasher,
        slot: u64,
        old: Option<&Item>,
        new: Option<&Item>,
    ) {
        if self.sums.is_empty() {
            return;
        }
        let number = |entry: Option<&Item>| match entry {
            Some(item) if !item.is_tombstone() => {
                number_of(key_hash(hasher, slot, item), item.version())
            }
            _ => 0,
        };
        let change = number(new).wrapping_sub(number(old));
        self.add(slot, change);
    }

    /// The item of a slot got another version.
    pub(super) fn change_version(
        &mut self,
        hasher: &KeyHasher,
        slot: u64,
        item: &Item,
        before: Version,
    ) {
        if self.sums.is_empty() || item.is_tombstone() {
            return;
        }
        let hash = key_hash(hasher, slot, item);
        let change = number_of(hash, item.version()).wrapping_sub(number_of(hash, before));
        self.add(slot, change);
    }

    fn add(&mut self, slot: u64, change: u64) {
        // A power of two, for the number of shards is one.
        let mask = self.sums.len() - 1;
        let sum = &mut self.sums[usize::from(hash::bucket_of(slot)) & mask];
        *sum = sum.wrapping_add(change);
    }

    /// The sums in the order of their buckets.
    pub(super) fn sums(&self) -> &[u64] {
        &self.sums
    }
}

/// The first half of the hash of an item's key: its slot, unless other keys are there.
pub(super) fn key_hash(hasher: &KeyHasher, slot: u64, item: &Item) -> u64 {
    if item.is_displaced() {
        hasher.hash(item.key()).slot()
    } else {
        slot
    }
}

/// What one item adds to the sum of its bucket: a wire constant. The hash of the key depends on the
/// secret of the pair, so clients cannot choose it.
pub(super) fn number_of(key_hash: u64, version: Version) -> u64 {
    let touched = spread(version.touched.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
    spread(key_hash ^ spread(version.timestamp.get() ^ touched))
}

/// Spreads each bit over all (the finalizer of splitmix64).
fn spread(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Store {
    /// The buckets of a shard: the first, and how many follow from it on.
    pub fn buckets_of(&self, shard: usize) -> (usize, usize) {
        let count = sizes().buckets() >> self.shard_bits;
        (shard * count, count)
    }

    /// The shard of a bucket.
    pub fn shard_of_bucket(&self, bucket: usize) -> usize {
        bucket >> (sizes().bucket_bits - self.shard_bits)
    }

    /// The sum of a bucket: zero if it has no live item.
    pub fn bucket_sum(&self, bucket: usize) -> u64 {
        let (first, _) = self.buckets_of(self.shard_of_bucket(bucket));
        let shard = self.shards[self.shard_of_bucket(bucket)].lock();
        let sums = shard.digests.sums();
        sums.get(bucket - first).copied().unwrap_or(0)
    }

    /// Appends the sums of a shard's buckets. Returns whether the shard holds a tombstone, too: if
    /// not, a sum of zero is that of a bucket with no entry at all.
    pub fn sums_of(&self, shard: usize, sums: &mut Vec<u64>) -> bool {
        let shard = self.shards[shard].lock();
        sums.extend_from_slice(shard.digests.sums());
        shard.table.tombstones_len() > 0
    }

    /// A number that two nodes have in common if they hash keys with the same secret.
    pub fn hash_check(&self) -> u64 {
        self.shared.hasher.hash(b"memtwin: one hash of keys").slot()
    }
}
