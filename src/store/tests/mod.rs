//! Tests of the store as a whole, and what they share.

mod collision;
mod evict;
mod expiry;
mod items;
mod lift;
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

/// The time at which all tests start.
const START: Now = Now {
    boot_ms: 1_000_000,
    wall_ms: 200_000_000,
};
const MEBIBYTE: u64 = 1 << 20;
/// A `-m` that leaves 864 KiB for items.
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

fn version(timestamp: u64) -> Version {
    Version::written(Timestamp::from_raw(timestamp))
}

impl Store {
    /// Stores a value as a client's unconditional `set` would.
    fn put(
        &self,
        key: &[u8],
        value: &[u8],
        head: &ItemHead,
        context: &mut OpContext,
    ) -> Option<Timestamp> {
        let mut pending = self.pending_item(key, head, value.len()).ok()?;
        pending.fill(|to| to.copy_from_slice(value));
        self.update(key, context, |_| (Action::Put(pending), ())).1
    }

    fn get(&self, key: &[u8], context: &mut OpContext) -> Result<Vec<u8>, Miss> {
        self.read(key, context, |item| item.value().to_vec())
    }

    fn remove(&self, key: &[u8], context: &mut OpContext) -> bool {
        self.update(key, context, |found| (Action::Remove, found.is_ok()))
            .0
    }

    fn touch(&self, key: &[u8], deadline_ms: u64, context: &mut OpContext) -> bool {
        self.update(key, context, |found| {
            (Action::Touch(deadline_ms), found.is_ok())
        })
        .0
    }

    /// A record of the partner that never expires.
    fn record(&self, key: &[u8], value: &[u8], version: Version, origin: Origin) -> ApplyResult {
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
    ) -> ApplyResult {
        let mut context = OpContext::at(now);
        match self.partial_item(key, head, value.len(), origin, &mut context) {
            Ok(mut incoming) => {
                assert!(incoming.push(value));
                self.apply(incoming, origin, &mut context)
            }
            Err(reason) => self.refuse(key, head.version, reason, &mut context),
        }
    }

    fn held(&self, key: &[u8]) -> Option<Item> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard(hash.slot()).lock();
        shard.find(hash, key).map(|(_, item)| item.clone())
    }
}
