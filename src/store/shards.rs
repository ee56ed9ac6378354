//! The store itself: the shards, and what they share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::classes::{CAS_BYTES, Classes};
use super::config::StoreConfig;
use super::counters::Counters;
use super::digests::Digests;
use super::hash::{self, KeyHasher};
use super::hlc::HybridClock;
use super::item::NEVER;
use super::memory::{Account, Memory, kept_bytes};
use super::observer::Observer;
use super::shard::Shard;
use super::shared::Shared;
use crate::limits;

/// All entries of a node.
#[derive(Debug)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
    pub(super) shards: Box<[Mutex<Shard>]>,
    pub(super) shard_bits: u32,
    pub(super) item_bytes_max: usize,
    pub(super) has_cas: bool,
    pub(super) limit_bytes: AtomicU64,
    /// Told of evictions that no client's command caused.
    pub(super) background_observer: OnceLock<Arc<dyn Observer>>,
    /// Boot-time milliseconds of a delayed flush, or [`NEVER`].
    pub(super) flush_at_ms: AtomicU64,
    /// The flush watermark below which all items have been freed.
    pub(super) reclaimed_watermark: AtomicU64,
}

impl Store {
    /// An empty store.
    pub fn new(config: &StoreConfig) -> Self {
        Self::with_hasher(config, KeyHasher::new(&config.hash_secret))
    }

    /// Makes the items of an empty store have no CAS unique (`-C`). As memcached counts them, each
    /// item is 8 bytes smaller.
    #[must_use]
    pub fn without_cas(mut self) -> Self {
        self.has_cas = false;
        self.item_bytes_max += CAS_BYTES;
        self
    }

    /// Whether items have a CAS unique.
    pub fn has_cas(&self) -> bool {
        self.has_cas
    }

    pub(crate) fn with_hasher(config: &StoreConfig, hasher: KeyHasher) -> Self {
        let shard_bits = shard_bits_for(config.limit_bytes);
        let count = 1usize << shard_bits;
        let kept_bytes = kept_bytes(config.limit_bytes, count, config.replicated);
        let account = Account::new(config.limit_bytes.saturating_sub(kept_bytes));
        let modes = (config.replicated, config.evicting);
        let classes = Classes::new(&config.classes, config.item_bytes_max);
        let books = (account, classes);
        let digests = || match config.replicated {
            true => Digests::of_shard(shard_bits),
            false => Digests::default(),
        };
        Self {
            shared: Arc::new(Shared::new(hasher, config.side, books, modes, count)),
            shards: (0..count)
                .map(|index| Mutex::new(Shard::new(index, digests())))
                .collect(),
            shard_bits,
            item_bytes_max: config.item_bytes_max,
            has_cas: true,
            limit_bytes: AtomicU64::new(config.limit_bytes),
            background_observer: OnceLock::new(),
            flush_at_ms: AtomicU64::new(NEVER),
            reclaimed_watermark: AtomicU64::new(0),
        }
    }

    pub(super) fn shard(&self, slot: u64) -> &Mutex<Shard> {
        &self.shards[hash::shard_of(slot, self.shard_bits)]
    }

    /// The timestamp clock of this node.
    pub fn hybrid_clock(&self) -> &HybridClock {
        &self.shared.hybrid_clock
    }

    /// The state of the memory account.
    pub fn memory(&self) -> Memory {
        self.shared.account.snapshot()
    }

    /// Bytes that must be freed for the first client whose input waits for memory; `None` if none
    /// waits.
    pub fn lacking_input_bytes(&self) -> Option<u64> {
        let account = &self.shared.account;
        account.unfinished.lacking_bytes(account.budget_bytes())
    }

    /// Bytes that unfinished input holds over its bound, which happens when the memory limit was
    /// lowered.
    pub fn excess_input_bytes(&self) -> u64 {
        let account = &self.shared.account;
        account.unfinished.excess_bytes(account.budget_bytes())
    }

    /// Wakes the clients whose input waits for memory.
    pub fn wake_waiting_input(&self) {
        self.shared.account.unfinished.wake_all();
    }

    /// Whether unfinished input holds so much memory that reads should be short.
    pub fn is_input_scarce(&self) -> bool {
        let account = &self.shared.account;
        !account.unfinished.is_ample(0, account.budget_bytes())
    }

    /// Counters of evictions, expiry and refusals.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The slab classes and their totals.
    pub fn classes(&self) -> &Classes {
        &self.shared.classes
    }

    /// Bytes of `-m`.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// The first slot of a key: its slot unless other keys have the same 64-bit hash.
    pub fn slot_of(&self, key: &[u8]) -> u64 {
        self.shared.hasher.hash(key).slot()
    }
}

/// One shard per 256 KiB of memory, at least 256 and at most 16,384: enough for workers to meet
/// rarely at one lock, and few enough for their tables to cost little.
fn shard_bits_for(limit_bytes: u64) -> u32 {
    let wanted = (limit_bytes / limits::SHARD_BYTES).max(1);
    wanted
        .ilog2()
        .clamp(limits::sizes().shard_bits_min, limits::SHARD_BITS_MAX)
}
