//! The store: a sharded LRU of items under one memory budget. It knows neither sockets nor tokio.
//!
//! - [`ops`]: the operations of commands: read, update, flush.
//! - [`replica`]: the operations of the link: records, confirmations, walks of the table.
//! - [`mutate`]: the one function that changes an entry. [`table`]: the entries of a shard.
//! - [`upload`]: a client's value that arrives over several turns. [`unfinished`]: the bound on the
//!   memory of such values and of long lines.
//! - [`walk`]: visits all items, for dumps and statistics.
//! - [`memory`]: the account. [`evict`] keeps its budget, [`resize`] changes it, [`relief`] evicts
//!   when the machine has less memory than the budget.
//! - [`expiry_buckets`]: finds expired items.
//! - [`lift`]: moves all entries to later timestamps, in steps.
//!
//! **Invariant:** no code holds two shard locks, and no entry is freed under one.

mod ages;
#[cfg(any(test, fuzzing))]
mod audit;
pub mod classes;
mod clock;
mod counters;
mod evict;
mod expiry_buckets;
mod hash;
mod hlc;
mod housekeeping;
mod item;
mod lift;
mod lru_list;
mod machine;
mod memory;
mod mutate;
mod observer;
mod op_context;
mod ops;
mod pending_item;
mod relief;
mod replica;
mod reservation;
mod resize;
mod shard;
mod shared;
mod table;
#[cfg(test)]
mod tests;
mod unfinished;
mod unreplicated;
mod upload;
mod walk;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

pub use classes::{ClassFigures, ClassPlan, Classes};
pub use clock::{Clock, EPOCH_UNIX_MS, Now};
pub use counters::{ClassCounters, Counters};
pub use hash::{KeyHash, KeyHasher};
pub use hlc::{HybridClock, Timestamp, Version};
pub use item::{Item, ItemHead, NEVER, item_flags};
pub use lift::Lift;
pub use memory::{Memory, size_class_bytes};
pub use observer::{ItemSummary, Observer, StoreEventView};
pub use op_context::OpContext;
pub use ops::{Action, Miss};
pub use pending_item::{NoRoom, PartialItem, PendingItem};
pub use replica::{ApplyResult, Origin, RecordHead, RefuseReason};
pub use reservation::{Purpose, Reservation};
pub use unfinished::InputReservation;
pub use unreplicated::Unreplicated;
pub use upload::Upload;
pub use walk::Walk;

use crate::limits;
use memory::Account;
use shard::Shard;
use shared::Shared;

/// The configuration of a store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Bytes of `-m`.
    pub limit_bytes: u64,
    /// Bytes of `-I`: header, key and value of one item together.
    pub item_bytes_max: usize,
    /// False for `-M`: refuse instead of evicting.
    pub evicting: bool,
    /// The secret of the keyed hash; the same on both nodes of a pair.
    pub hash_secret: [u8; 16],
    /// 0 or 1.
    pub side: u8,
    /// Whether there is a partner.
    pub replicated: bool,
    /// The classes of items, for statistics.
    pub classes: ClassPlan,
}

#[cfg(test)]
impl StoreConfig {
    /// 64 MiB of a node that is alone, with memcached's defaults.
    pub(crate) fn of_a_test() -> Self {
        Self {
            limit_bytes: 64 << 20,
            item_bytes_max: 1 << 20,
            evicting: true,
            hash_secret: [7; 16],
            side: 0,
            replicated: false,
            classes: ClassPlan::default(),
        }
    }
}

/// All entries of a node.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    shards: Box<[Mutex<Shard>]>,
    shard_bits: u32,
    item_bytes_max: usize,
    has_cas: bool,
    limit_bytes: AtomicU64,
    /// Told of evictions that no client's command caused.
    background_observer: OnceLock<Arc<dyn Observer>>,
    /// Boot-time milliseconds of a delayed flush, or [`NEVER`].
    flush_at_ms: AtomicU64,
    /// The flush watermark below which all items have been freed.
    reclaimed_watermark: AtomicU64,
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
        self.item_bytes_max += classes::CAS_BYTES;
        self
    }

    /// Whether items have a CAS unique.
    pub fn has_cas(&self) -> bool {
        self.has_cas
    }

    fn with_hasher(config: &StoreConfig, hasher: KeyHasher) -> Self {
        let shard_bits = shard_bits_for(config.limit_bytes);
        let count = 1usize << shard_bits;
        let kept_bytes = resize::kept_bytes(config.limit_bytes, count, config.replicated);
        let account = Account::new(config.limit_bytes.saturating_sub(kept_bytes));
        let modes = (config.replicated, config.evicting);
        let classes = Classes::new(&config.classes, config.item_bytes_max);
        let books = (account, classes);
        Self {
            shared: Arc::new(Shared::new(hasher, config.side, books, modes, count)),
            shards: (0..count)
                .map(|index| Mutex::new(Shard::new(index)))
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

    fn shard(&self, slot: u64) -> &Mutex<Shard> {
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
        self.limit_bytes.load(std::sync::atomic::Ordering::Relaxed)
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
        .clamp(limits::SHARD_BITS_MIN, limits::SHARD_BITS_MAX)
}
