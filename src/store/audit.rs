//! Checks of the store's accounts against its tables, for tests and fuzzing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::memory::cost_bytes;
use super::shard::Shard;
use super::{ClassFigures, Now, Store, classes, digests, hash};

impl Store {
    /// Recomputes every account from the tables. No item may be unfinished or pinned.
    pub fn audit(&self, now: Now) {
        self.shared.sweep_pinned();
        let mut sum = Sum::default();
        for (index, shard) in self.shards.iter().enumerate() {
            self.audit_shard(&shard.lock(), index, now, &mut sum);
        }
        let account = &self.shared.account;
        let memory = self.memory();
        assert_eq!(memory.used_bytes, sum.used_bytes, "used bytes");
        assert_eq!(memory.live_items, sum.live_items, "live items");
        assert_eq!(memory.tombstones, sum.tombstones, "tombstones");
        let tombstone_bytes = account.tombstone_bytes.load(Ordering::Relaxed);
        assert_eq!(tombstone_bytes, sum.tombstone_bytes, "tombstone bytes");
        for (class, _) in self.classes().each() {
            let figures = sum.classes.get(&class).copied().unwrap_or_default();
            assert_eq!(self.classes().figures(class), figures, "class {class}");
        }
    }

    fn audit_shard(&self, shard: &Shard, index: usize, now: Now, sum: &mut Sum) {
        let before = sum.tombstones;
        let mut displaced = 0;
        let (first_bucket, _) = self.buckets_of(index);
        let mut digests = vec![0u64; shard.digests.sums().len()];
        for (slot, item) in shard.table.entries() {
            let hash = self.shared.hasher.hash(item.key());
            assert_eq!(hash::shard_of(slot, self.shard_bits), index);
            let found = shard.find(hash, item.key()).map(|(slot, _)| slot);
            assert_eq!(found, Some(slot), "a key is where it lives, once");
            assert_eq!(item.is_displaced(), slot != hash.slot());
            displaced += usize::from(item.is_displaced());
            sum.used_bytes += cost_bytes(item);
            if item.is_tombstone() {
                assert!(self.shared.replicated, "a tombstone without a partner");
                sum.tombstones += 1;
                sum.tombstone_bytes += cost_bytes(item);
            } else {
                sum.live_items += 1;
                if self.shared.replicated {
                    let bucket = usize::from(hash::bucket_of(hash.slot())) - first_bucket;
                    let number = digests::number_of(hash.slot(), item.version());
                    digests[bucket] = digests[bucket].wrapping_add(number);
                }
                let item_bytes = classes::counted_bytes(item);
                assert_eq!(item.class(), self.classes().of(item_bytes), "class");
                let figures = sum.classes.entry(item.class()).or_default();
                figures.items += 1;
                figures.item_bytes += item_bytes as u64;
                shard.expiry_buckets.audit(slot, item, now);
            }
        }
        assert_eq!(shard.audit_unprotected(&self.shared), Ok(()));
        let tombstones = (sum.tombstones - before) as usize;
        assert_eq!(shard.displaced, displaced);
        assert_eq!(shard.digests.sums(), digests, "sums of the buckets");
        assert_eq!(shard.table.tombstones_len(), tombstones);
        assert_eq!(shard.tail_tick(), self.shared.tail(index), "published tail");
    }
}

/// The totals of [`Store::audit`].
#[derive(Default)]
struct Sum {
    used_bytes: u64,
    live_items: u64,
    tombstones: u64,
    tombstone_bytes: u64,
    classes: BTreeMap<u8, ClassFigures>,
}
