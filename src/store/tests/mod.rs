//! Tests of the store as a whole: what all of them share.

mod collision;
mod evict;
mod expiry;
mod items;
mod model;
mod mutate;
mod operations;
mod relief;
mod replica;
mod resize;
mod unreplicated;
mod upload;
mod walk;

use super::hash::KeyHasher;
use super::*;

/// Deadlines and access times of all tests begin here.
const START: Now = Now {
    boot_ms: 1_000_000,
    wall_ms: 200_000_000,
};
const MEBIBYTE: u64 = 1 << 20;
/// Room for 864 KiB of items.
const SMALL_BYTES: u64 = MEBIBYTE + (224 << 10);

fn config(limit_bytes: u64) -> StoreConfig {
    StoreConfig {
        limit_bytes,
        ..StoreConfig::of_a_test()
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
        let mut batch = Batch::at(now);
        match self.incoming_record(key, head, value.len(), origin, &mut batch) {
            Ok(mut incoming) => {
                assert!(incoming.push(value));
                self.apply(incoming, origin, &mut batch)
            }
            Err(shortage) => self.refuse(key, head.version, shortage, &mut batch),
        }
    }

    fn held(&self, key: &[u8]) -> Option<Item> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard(hash.slot()).lock();
        shard.find(hash, key).map(|(_, item)| item.clone())
    }
}
