//! Tests of the store as a whole, and what they share.

mod collision;
mod digests;
mod evict;
mod expiry;
mod items;
mod knowledge;
mod lift;
mod model;
mod mutate;
mod operations;
mod partner;
mod relief;
mod replica;
mod resize;
mod unprotected;
mod unreplicated;
mod upload;
mod walk;

use super::hash::KeyHasher;
use super::*;
use crate::limits;

/// The time at which all tests start.
const START: Now = Now::of(1_000_000, 200_000_000);
const MEBIBYTE: u64 = 1 << 20;
const RELAXED: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;
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

fn without_evictions(limit_bytes: u64) -> Store {
    Store::new(&StoreConfig {
        evicting: false,
        ..config(limit_bytes)
    })
}

fn replicated(limit_bytes: u64) -> Store {
    Store::new(&StoreConfig {
        replicated: true,
        ..config(limit_bytes)
    })
}

/// A store, and a context for operations at the start.
fn begun(store: Store) -> (Store, OpContext) {
    (store, OpContext::at(START))
}

fn after(now: Now, ms: u64) -> Now {
    Now::of(now.boot_ms + ms, now.wall_ms + ms)
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

/// The head of a record with this version that never expires.
fn record_of(version: Version) -> RecordHead {
    RecordHead {
        version,
        ..RecordHead::default()
    }
}

impl Store {
    /// Stores a value as a client's unconditional `set` would.
    fn put(
        &self,
        key: &[u8],
        value: &[u8],
        deadline_ms: u64,
        context: &mut OpContext,
    ) -> Option<Timestamp> {
        self.put_with(key, value, &until(deadline_ms), context)
    }

    fn put_with(
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

    fn get_at(&self, key: &[u8], now: Now) -> Result<Vec<u8>, Miss> {
        self.get(key, &mut OpContext::at(now))
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
        self.record_with(key, value, &record_of(version), origin, START)
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

    /// A deletion of the partner.
    fn delete_record(&self, key: &[u8], version: Version) -> ApplyResult {
        self.apply_tombstone(key, version, &mut OpContext::at(START))
    }

    fn refuse_record(&self, key: &[u8], version: Version, reason: RefuseReason) -> ApplyResult {
        self.refuse(key, version, reason, &mut OpContext::at(START))
    }

    /// Confirms the present version of a key.
    fn confirm_held(&self, key: &[u8]) {
        let version = self.held(key).unwrap().version();
        self.confirm(self.slot_of(key), version);
    }

    /// Items evicted so far.
    fn evicted(&self) -> u64 {
        self.counters().sum(|class| &class.evicted)
    }

    fn held(&self, key: &[u8]) -> Option<Item> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard(hash.slot()).lock();
        shard.find(hash, key).map(|(_, item)| item.clone())
    }
}
