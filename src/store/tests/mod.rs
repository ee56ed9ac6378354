//! Tests of the store as a whole: what all of them share.

mod collision;
mod door;
mod evict;
mod expiry;
mod model;
mod operations;
mod replica;
mod walk;

use super::hash::KeyHasher;
use super::memory::cost_bytes;
use super::*;

/// Deadlines and access times of all tests begin here.
const START: Now = Now {
    boot_ms: 1_000_000,
    wall_ms: 200_000_000,
};
const MEBIBYTE: u64 = 1 << 20;

fn config(limit_bytes: u64) -> StoreConfig {
    StoreConfig {
        limit_bytes,
        item_bytes_max: 1 << 20,
        evicting: true,
        hash_secret: [7; 16],
        side: 0,
        replicated: false,
    }
}

fn store(limit_bytes: u64) -> Store {
    Store::new(&config(limit_bytes))
}

fn replicated(limit_bytes: u64) -> Store {
    Store::new(&StoreConfig {
        replicated: true,
        ..config(limit_bytes)
    })
}

fn after(now: Now, ms: u64) -> Now {
    Now {
        boot_ms: now.boot_ms + ms,
        wall_ms: now.wall_ms + ms,
    }
}

fn until(deadline_ms: u64) -> ItemHead {
    ItemHead {
        deadline_ms,
        ..ItemHead::default()
    }
}

fn version(stamp: u64) -> Version {
    Version::written(Stamp::from_raw(stamp))
}

impl Store {
    /// Stores a value as a client's unconditional `set` would.
    fn put(&self, key: &[u8], value: &[u8], head: &ItemHead, batch: &mut Batch) -> Option<Stamp> {
        let mut draft = self.draft(key, head, value.len()).ok()?;
        draft.fill(|to| to.copy_from_slice(value));
        self.update(key, batch, |_| (Action::Put(draft), ())).1
    }

    fn get(&self, key: &[u8], batch: &mut Batch) -> Result<Vec<u8>, Miss> {
        self.read(key, batch, |item| item.value().to_vec())
    }

    fn remove(&self, key: &[u8], batch: &mut Batch) -> bool {
        self.update(key, batch, |found| (Action::Remove, found.is_ok()))
            .0
    }

    fn touch(&self, key: &[u8], deadline_ms: u64, batch: &mut Batch) -> bool {
        self.update(key, batch, |found| {
            (Action::Touch(deadline_ms), found.is_ok())
        })
        .0
    }

    /// A record of the partner that never expires.
    fn record(&self, key: &[u8], value: &[u8], version: Version, origin: Origin) -> Verdict {
        let head = RecordHead {
            version,
            ..RecordHead::default()
        };
        self.record_with(key, value, &head, origin, START)
    }

    fn record_with(
        &self,
        key: &[u8],
        value: &[u8],
        head: &RecordHead,
        origin: Origin,
        now: Now,
    ) -> Verdict {
        let Ok(mut incoming) = self.incoming_record(key, head, value.len(), now) else {
            return self.refuse(key, head.version, &mut Batch::at(now));
        };
        assert!(incoming.push(value));
        self.apply(incoming, origin, &mut Batch::at(now))
    }

    fn held(&self, key: &[u8]) -> Option<Item> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard(hash.slot()).lock();
        shard.find(hash, key).map(|(_, item)| item.clone())
    }

    /// Recomputes every figure from the table itself. No item may be unfinished or pinned.
    fn audit(&self, now: Now) {
        self.shared.sweep_pinned();
        let mut sum = Sum::default();
        for (index, shard) in self.shards.iter().enumerate() {
            self.audit_shard(&shard.lock(), index, now, &mut sum);
        }
        let account = &self.shared.account;
        let relaxed = |figure: &AtomicU64| figure.load(std::sync::atomic::Ordering::Relaxed);
        let memory = self.memory();
        assert_eq!(memory.used_bytes, sum.used_bytes, "used bytes");
        assert_eq!(memory.live_items, sum.live_items, "live items");
        assert_eq!(memory.tombstones, sum.tombstones, "tombstones");
        let tombstone_bytes = relaxed(&account.tombstone_bytes);
        assert_eq!(tombstone_bytes, sum.tombstone_bytes, "tombstone bytes");
    }

    fn audit_shard(&self, shard: &Shard, index: usize, now: Now, sum: &mut Sum) {
        let before = sum.tombstones;
        let mut displaced = 0;
        for (slot, item) in shard.entries() {
            let hash = self.shared.hasher.hash(item.key());
            assert_eq!(hash::shard_of(slot, self.shard_bits), index);
            let found = shard.find(hash, item.key()).map(|(slot, _)| slot);
            assert_eq!(
                found,
                Some(slot),
                "a key is found where it lives, and lives once"
            );
            assert_eq!(item.is_displaced(), slot != hash.slot());
            displaced += usize::from(item.is_displaced());
            sum.used_bytes += cost_bytes(item);
            if item.is_tombstone() {
                assert!(self.shared.replicated, "a tombstone without a partner");
                sum.tombstones += 1;
                sum.tombstone_bytes += cost_bytes(item);
            } else {
                sum.live_items += 1;
                shard.wheel.audit(slot, item, now);
            }
        }
        let tombstones = (sum.tombstones - before) as usize;
        assert_eq!(shard.displaced, displaced);
        assert_eq!(shard.tombstones.count, tombstones);
        assert_eq!(shard.tail_tick(), self.shared.tail(index), "published tail");
    }
}

/// What [`Store::audit`] counts.
#[derive(Default)]
struct Sum {
    used_bytes: u64,
    live_items: u64,
    tombstones: u64,
    tombstone_bytes: u64,
}
