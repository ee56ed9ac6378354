//! Counters of evictions, expiry and refusals.

use std::sync::atomic::{AtomicU64, Ordering};

use super::classes::index;
use super::clock::Now;
use super::item::{Item, NEVER};
use crate::limits::CLASSES;

const RELAXED: Ordering = Ordering::Relaxed;

/// Counters since the start. `stats reset` resets those of the classes.
#[derive(Debug)]
pub struct Counters {
    /// The counters of items, by slab class.
    classes: Box<[ClassCounters; CLASSES]>,
    /// Tombstones dropped for want of memory before the partner confirmed them.
    pub tombstones_dropped: AtomicU64,
    /// Evictions that the partner was not told of, because too many waited.
    pub evictions_untold: AtomicU64,
    /// Records of the partner refused for want of memory.
    pub records_refused: AtomicU64,
    /// Unfinished values and lines dropped for others because they had stopped growing.
    pub unfinished_dropped: AtomicU64,
}

/// What happened to the items of one class.
#[derive(Debug, Default)]
pub struct ClassCounters {
    /// Live items evicted for memory, or because a key with the same hash needed their slot.
    pub evicted: AtomicU64,
    /// Evicted items that had a deadline.
    pub evicted_nonzero: AtomicU64,
    /// Seconds for which the last evicted item had not been used.
    pub evicted_idle_secs: AtomicU64,
    /// Evicted items that no client had read.
    pub evicted_unfetched: AtomicU64,
    /// Items refused for want of memory.
    pub out_of_memory: AtomicU64,
    /// Expired items that a set replaced or an eviction removed.
    pub reclaimed: AtomicU64,
    /// Expired items that no client had read.
    pub expired_unfetched: AtomicU64,
}

impl ClassCounters {
    /// All of them, in their order.
    pub(crate) fn each(&self) -> impl Iterator<Item = &AtomicU64> {
        [
            &self.evicted,
            &self.evicted_nonzero,
            &self.evicted_idle_secs,
            &self.evicted_unfetched,
            &self.out_of_memory,
            &self.reclaimed,
            &self.expired_unfetched,
        ]
        .into_iter()
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            classes: Box::new(std::array::from_fn(|_| ClassCounters::default())),
            tombstones_dropped: AtomicU64::new(0),
            evictions_untold: AtomicU64::new(0),
            records_refused: AtomicU64::new(0),
            unfinished_dropped: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts dropped unfinished input.
    pub fn count_unfinished_dropped(&self) {
        self.unfinished_dropped.fetch_add(1, RELAXED);
    }

    /// The counters of a class.
    pub fn class(&self, class: u8) -> &ClassCounters {
        &self.classes[index(class)]
    }

    /// A counter, summed over all classes.
    pub fn sum(&self, counter: impl Fn(&ClassCounters) -> &AtomicU64) -> u64 {
        let counts = self.classes.iter().map(counter);
        counts.map(|count| count.load(RELAXED)).sum()
    }

    /// Resets the counters of all classes.
    pub fn reset(&self) {
        for class in self.classes.iter() {
            class.each().for_each(|counter| counter.store(0, RELAXED));
        }
    }

    /// Counts the eviction of a live item.
    pub(super) fn count_eviction(&self, item: &Item, now: Now) {
        let class = self.class(item.class());
        class.evicted.fetch_add(1, RELAXED);
        if item.deadline_ms() != NEVER {
            class.evicted_nonzero.fetch_add(1, RELAXED);
        }
        if !item.is_fetched() {
            class.evicted_unfetched.fetch_add(1, RELAXED);
        }
        let idle_secs = item.idle_ms(now) / 1000;
        class.evicted_idle_secs.store(idle_secs, RELAXED);
    }
}
