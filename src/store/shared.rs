//! What all shards share: account, stamps, flush floor, hasher, counters, tail ticks.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::batch::Batch;
use super::counters::Counters;
use super::hash::KeyHasher;
use super::item::Item;
use super::memory::{Account, cost_bytes};
use super::shard::EMPTY_TAIL;
use super::stamp::{Stamp, StampClock};

const RELAXED: Ordering = Ordering::Relaxed;

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hasher: KeyHasher,
    pub(crate) stamps: StampClock,
    pub(crate) account: Account,
    pub(crate) counters: Counters,
    /// Whether there is a partner; without one there are no tombstones and no dirty marks.
    pub(crate) replicated: bool,
    /// Whether memory pressure evicts (`-M` turns it off).
    pub(crate) evicting: bool,
    floor: AtomicU64,
    /// Ticks of the coldest entry of each shard, read without their locks.
    tails: Box<[AtomicU32]>,
    /// Entries out of the table that somebody still reads: charged until they are let go.
    pinned: Mutex<Vec<Item>>,
}

impl Shared {
    pub(crate) fn new(
        hasher: KeyHasher,
        side: u8,
        account: Account,
        (replicated, evicting): (bool, bool),
        shards: usize,
    ) -> Self {
        Self {
            hasher,
            stamps: StampClock::new(side),
            account,
            counters: Counters::default(),
            replicated,
            evicting,
            floor: AtomicU64::new(0),
            tails: (0..shards).map(|_| AtomicU32::new(EMPTY_TAIL)).collect(),
            pinned: Mutex::new(Vec::new()),
        }
    }

    /// Everything with a lower stamp is dead.
    pub(crate) fn floor(&self) -> Stamp {
        Stamp::from_raw(self.floor.load(RELAXED))
    }

    /// Raises the floor; false if it was as high already.
    pub(crate) fn raise_floor(&self, floor: Stamp) -> bool {
        self.stamps.absorb(floor);
        self.floor.fetch_max(floor.get(), RELAXED) < floor.get()
    }

    /// Whether a flush has killed the item.
    pub(crate) fn is_flushed(&self, item: &Item) -> bool {
        item.version().stamp < self.floor()
    }

    pub(crate) fn tail(&self, shard: usize) -> u32 {
        self.tails[shard].load(RELAXED)
    }

    pub(crate) fn publish_tail(&self, shard: usize, tick: u32) {
        self.tails[shard].store(tick, RELAXED);
    }

    /// Frees what left the table during a turn. Called without any lock held.
    pub(crate) fn free_retired(&self, batch: &mut Batch) {
        for item in batch.retired.drain(..) {
            self.free(item);
        }
    }

    fn free(&self, item: Item) {
        if item.is_unique() {
            self.account.refund(cost_bytes(&item));
        } else {
            self.pinned.lock().push(item);
        }
    }

    /// Frees entries whose last reader is gone.
    pub(crate) fn sweep_pinned(&self) {
        let let_go: Vec<_> = self
            .pinned
            .lock()
            .extract_if(.., |item| item.is_unique())
            .collect();
        for item in let_go {
            self.account.refund(cost_bytes(&item));
        }
    }
}
