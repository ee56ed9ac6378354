//! What all shards share: account, clock, flush watermark, hasher, counters, tail ticks.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::classes::Classes;
use super::confirmed::{Confirmed, PartnerLives, PartnerSays};
use super::counters::Counters;
use super::eviction_notices::EvictionNotices;
use super::hash::KeyHasher;
use super::hlc::{HybridClock, Timestamp};
use super::item::Item;
use super::knowledge::Knowledge;
use super::memory::{Account, cost_bytes};
use super::op_context::OpContext;
use super::shard::EMPTY_TAIL;
use super::shift::Shift;
use crate::limits::sizes;

const RELAXED: Ordering = Ordering::Relaxed;

/// Shared by all shards, uploads and reservations.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hasher: KeyHasher,
    pub(crate) hybrid_clock: HybridClock,
    pub(crate) account: Account,
    pub(crate) counters: Counters,
    pub(crate) classes: Classes,
    pub(crate) knowledge: Knowledge,
    pub(crate) partner_lives: PartnerLives,
    pub(super) eviction_notices: EvictionNotices,
    /// Whether there is a partner; without one there are no tombstones and no dirty keys.
    pub(crate) replicated: bool,
    /// Whether memory pressure evicts (`-M` turns it off).
    pub(crate) evicting: bool,
    flush_watermark: AtomicU64,
    /// Ticks of the coldest live item of each shard, read without their locks.
    tails: Box<[AtomicU32]>,
    /// Removed items that are still being sent to clients. They stay charged until then.
    pinned: Mutex<Vec<Item>>,
    /// The length of `pinned`, read without its lock.
    pinned_count: AtomicUsize,
    /// Seeds the samples of evictions.
    evictions_tried: AtomicU32,
    /// Bytes of items that the machine has memory for.
    #[cfg(test)]
    pub(crate) machine_bytes: AtomicU64,
    /// How often a shard was locked to evict something from it.
    #[cfg(test)]
    pub(crate) evictions_tried_in_shards: AtomicU64,
}

/// The start and the stride of a walk over all shards. The stride is odd and the number of shards a
/// power of two, so a walk visits each shard once.
pub(crate) fn walk_of(seed: u64) -> (usize, usize) {
    ((seed >> 32) as usize, (seed >> 8) as usize | 1)
}

impl Shared {
    pub(crate) fn new(
        hasher: KeyHasher,
        side: u8,
        (account, classes): (Account, Classes),
        (replicated, evicting): (bool, bool),
        shards: usize,
    ) -> Self {
        Self {
            hasher,
            hybrid_clock: HybridClock::new(side),
            account,
            counters: Counters::default(),
            classes,
            knowledge: match replicated {
                true => Knowledge::of_pair(),
                false => Knowledge::default(),
            },
            partner_lives: PartnerLives::default(),
            eviction_notices: EvictionNotices::default(),
            replicated,
            evicting,
            flush_watermark: AtomicU64::new(0),
            tails: (0..shards).map(|_| AtomicU32::new(EMPTY_TAIL)).collect(),
            pinned: Mutex::new(Vec::new()),
            pinned_count: AtomicUsize::new(0),
            evictions_tried: AtomicU32::new(0),
            #[cfg(test)]
            machine_bytes: AtomicU64::new(u64::MAX),
            #[cfg(test)]
            evictions_tried_in_shards: AtomicU64::new(0),
        }
    }

    /// Tells a turn that it has written a value that takes the link longer than others.
    pub(crate) fn note_large(&self, context: &mut OpContext, slot: u64, item: &Item) {
        if self.replicated && item.value().len() > sizes().one_frame_value_bytes {
            context.large.push(slot);
        }
    }

    /// What is known of an entry that the partner has just sent.
    pub(crate) fn confirmed_by_record(&self) -> Confirmed {
        let life = self.partner_lives.present();
        Confirmed::default().after(PartnerSays::Holds, life)
    }

    /// Everything with a lower timestamp is invalid.
    pub(crate) fn flush_watermark(&self) -> Timestamp {
        Timestamp::from_raw(self.flush_watermark.load(RELAXED))
    }

    /// Raises the flush watermark; false if it was as high already.
    pub(crate) fn raise_flush_watermark(&self, flush_watermark: Timestamp) -> bool {
        self.hybrid_clock.absorb(flush_watermark);
        self.flush_watermark
            .fetch_max(flush_watermark.get(), RELAXED)
            < flush_watermark.get()
    }

    /// Lifts the flush watermark with all entries, unless a later flush has raised it above them.
    pub(crate) fn lift_flush_watermark(&self, shift: &Shift) {
        let lift = |raw: u64| {
            let moved = shift.of(Timestamp::from_raw(raw)).get();
            (moved != raw).then_some(moved)
        };
        // An error: there is none to lift.
        let _ = self.flush_watermark.fetch_update(RELAXED, RELAXED, lift);
    }

    /// Whether a flush has invalidated the item.
    pub(crate) fn is_flushed(&self, item: &Item) -> bool {
        item.timestamp() < self.flush_watermark()
    }

    pub(crate) fn tail(&self, shard: usize) -> u32 {
        self.tails[shard].load(RELAXED)
    }

    pub(crate) fn publish_tail(&self, shard: usize, tick: u32) {
        self.tails[shard].store(tick, RELAXED);
    }

    /// Frees the entries that have left the table, and takes what was noted of them. Called without
    /// a lock.
    pub(crate) fn free_retired(&self, context: &mut OpContext) {
        if !context.evicted.is_empty() {
            self.take_evicted(context);
        }
        for item in context.retired.drain(..) {
            self.free(item);
        }
    }

    fn free(&self, item: Item) {
        if item.is_unique() {
            self.account.refund(cost_bytes(&item));
        } else {
            let mut pinned = self.pinned.lock();
            pinned.push(item);
            self.pinned_count.store(pinned.len(), RELAXED);
        }
    }

    /// Frees pinned items that no client is being sent any more.
    pub(crate) fn sweep_pinned(&self) {
        if self.pinned_count.load(RELAXED) == 0 {
            return;
        }
        let mut pinned = self.pinned.lock();
        let released: Vec<_> = pinned.extract_if(.., |item| item.is_unique()).collect();
        self.pinned_count.store(pinned.len(), RELAXED);
        drop(pinned);
        for item in released {
            self.account.refund(cost_bytes(&item));
        }
    }

    /// A number that differs from one eviction to the next.
    pub(crate) fn eviction_seed(&self) -> u64 {
        let tried = self.evictions_tried.fetch_add(1, RELAXED);
        u64::from(tried).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Live items of all shards.
    pub(crate) fn live_items(&self) -> u64 {
        self.account.live_items.load(RELAXED)
    }
}
