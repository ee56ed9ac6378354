//! What happened to entries without a client asking for it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::classes::{CLASSES, index};
use super::clock::Now;
use super::item::{Item, NEVER};

const RELAXED: Ordering = Ordering::Relaxed;

/// Counts since the start (or the last `stats reset`).
#[derive(Debug)]
pub struct Counters {
    /// Those of items, by their class.
    classes: Box<[ClassCounters; CLASSES]>,
    /// Deletions forgotten before the partner confirmed them, for want of memory.
    pub tombstones_dropped: AtomicU64,
    /// Records of the partner refused for want of memory.
    pub records_refused: AtomicU64,
    /// Unfinished values and lines that had not grown for long and gave way to others.
    pub unfinished_dropped: AtomicU64,
}

/// What happened to the items of one class.
#[derive(Debug, Default)]
pub struct ClassCounters {
    /// Live items removed to make room, or because eight keys shared their 64-bit hash.
    pub evicted: AtomicU64,
    /// Of these, those that had a deadline.
    pub evicted_nonzero: AtomicU64,
    /// Seconds that the last of these had not been used.
    pub evicted_idle_secs: AtomicU64,
    /// Evicted items that no client had read.
    pub evicted_unfetched: AtomicU64,
    /// Items refused for want of memory.
    pub out_of_memory: AtomicU64,
    /// Expired items whose memory was taken back by a set or an eviction.
    pub reclaimed: AtomicU64,
    /// Expired items that no client had read.
    pub expired_unfetched: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            classes: Box::new(std::array::from_fn(|_| ClassCounters::default())),
            tombstones_dropped: AtomicU64::new(0),
            records_refused: AtomicU64::new(0),
            unfinished_dropped: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts unfinished input that gave way.
    pub fn count_unfinished_dropped(&self) {
        self.unfinished_dropped.fetch_add(1, RELAXED);
    }

    /// Those of a class.
    pub fn class(&self, class: u8) -> &ClassCounters {
        &self.classes[index(class)]
    }

    /// One of them, summed over all classes.
    pub fn sum(&self, counter: impl Fn(&ClassCounters) -> &AtomicU64) -> u64 {
        let counts = self.classes.iter().map(counter);
        counts.map(|count| count.load(RELAXED)).sum()
    }

    /// Starts those of items again.
    pub fn reset(&self) {
        for class in self.classes.iter() {
            let ClassCounters {
                evicted,
                evicted_nonzero,
                evicted_idle_secs,
                evicted_unfetched,
                out_of_memory,
                reclaimed,
                expired_unfetched,
            } = class;
            let all = [
                evicted,
                evicted_nonzero,
                evicted_idle_secs,
                evicted_unfetched,
                out_of_memory,
                reclaimed,
                expired_unfetched,
            ];
            all.iter().for_each(|counter| counter.store(0, RELAXED));
        }
    }

    /// Counts a live item that had to go.
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
