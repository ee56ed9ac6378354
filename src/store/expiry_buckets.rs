//! The expiry buckets of a shard: slots (table keys) by the time their item may expire.
//!
//! A touch to a later deadline does not move an entry: when its old bucket fires, the item is
//! queued again. Nothing is queued further ahead than the horizon, which bounds the stale entries
//! that one key can leave behind.

use std::collections::BTreeMap;

use super::clock::Now;
use super::item::{Item, NEVER};
use super::table::Table;
use crate::limits::{EXPIRY_HORIZON_BUCKETS, EXPIRY_STALE_KEPT};

/// A bucket spans 16.4 s of deadlines (a shift of 14 bits): few enough buckets to cost nothing, and
/// [`ExpiryBuckets::next_to_fire`] expires items of the current bucket earlier where that is cheap.
const BUCKET_SHIFT: u32 = 14;
/// Buckets hold table keys; only occupied ones take memory.
#[derive(Debug, Default)]
pub(crate) struct ExpiryBuckets {
    pub(super) buckets: BTreeMap<u32, Vec<u64>>,
    /// Entries in all buckets, stale ones included.
    pub(super) len: usize,
}

impl ExpiryBuckets {
    /// The bucket for an item with this deadline; never 0, which means that it is not queued.
    fn bucket_of(deadline_ms: u64, now: Now) -> u32 {
        let bucket = deadline_ms >> BUCKET_SHIFT;
        let current = now.boot_ms >> BUCKET_SHIFT;
        (bucket.clamp(current, current + EXPIRY_HORIZON_BUCKETS) + 1) as u32
    }

    /// Queues an item for its deadline, unless it is queued in that bucket or an earlier one.
    pub(crate) fn watch(&mut self, table: &Table, slot: u64, item: &Item, now: Now) {
        let deadline_ms = item.deadline_ms();
        if deadline_ms == NEVER {
            return;
        }
        let bucket = Self::bucket_of(deadline_ms, now);
        let queued = item.expiry_bucket();
        if queued == 0 || queued > bucket {
            item.set_expiry_bucket(bucket);
            self.queue(bucket, slot);
            if self.len > 2 * table.len() + EXPIRY_STALE_KEPT {
                self.sweep(table);
            }
        }
    }

    /// Removes stale slots, whose entries are gone or queued in another bucket. Without it, a key
    /// that is set and deleted repeatedly would fill the memory with them.
    fn sweep(&mut self, table: &Table) {
        self.len = 0;
        self.buckets.retain(|&bucket, slots| {
            slots.retain(|&slot| {
                table
                    .peek(slot)
                    .is_some_and(|item| item.expiry_bucket() == bucket)
            });
            slots.sort_unstable();
            slots.dedup();
            slots.shrink_to(2 * slots.len());
            self.len += slots.len();
            !slots.is_empty()
        });
    }

    fn queue(&mut self, bucket: u32, slot: u64) {
        self.len += 1;
        self.buckets.entry(bucket).or_default().push(slot);
    }

    /// Moves at most `most` slots of fired buckets to `out`, each with its bucket. False if no more
    /// have fired.
    pub(crate) fn fired(&mut self, now: Now, most: usize, out: &mut Vec<(u32, u64)>) -> bool {
        let fired_before = (now.boot_ms >> BUCKET_SHIFT) as u32 + 1;
        while let Some(mut first) = self.buckets.first_entry() {
            let bucket = *first.key();
            if bucket >= fired_before {
                return false;
            }
            let slots = first.get_mut();
            let room = most.saturating_sub(out.len()).min(slots.len());
            self.len -= room;
            out.extend(slots.drain(slots.len() - room..).map(|slot| (bucket, slot)));
            if !slots.is_empty() {
                return true;
            }
            first.remove();
        }
        false
    }
}

impl ExpiryBuckets {
    /// Appends the slots of the bucket that fires next to `out`, unless they are more than `most`.
    /// Some of their items may be expired already.
    pub(crate) fn next_to_fire(&self, now: Now, most: usize, out: &mut Vec<(u32, u64)>) {
        let bucket = (now.boot_ms >> BUCKET_SHIFT) as u32 + 1;
        let slots = self.buckets.get(&bucket);
        if let Some(slots) = slots.filter(|slots| slots.len() <= most) {
            out.extend(slots.iter().map(|&slot| (bucket, slot)));
        }
    }
}

#[cfg(any(test, fuzzing))]
impl ExpiryBuckets {
    /// Checks that an item with a deadline is queued in the bucket it names, and not too late.
    pub(super) fn audit(&self, slot: u64, item: &Item, now: Now) {
        if item.deadline_ms() == NEVER {
            return;
        }
        let bucket = item.expiry_bucket();
        // An item that was expired when it was queued is in the next bucket to fire.
        let latest = (item.deadline_ms().max(now.boot_ms) >> BUCKET_SHIFT) + 1;
        assert!(bucket != 0, "an item with a deadline is not queued");
        let queued = self.buckets.get(&bucket);
        let is_queued = queued.is_some_and(|slots| slots.contains(&slot));
        assert!(is_queued, "not in its bucket");
        let len: usize = self.buckets.values().map(Vec::len).sum();
        assert_eq!(self.len, len);
        assert!(u64::from(bucket) <= latest, "queued too late");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot_ms: u64) -> Now {
        Now::of(boot_ms, 0)
    }

    #[test]
    fn a_bucket_fires_only_when_all_its_deadlines_have_passed() {
        let mut buckets = ExpiryBuckets::default();
        let deadline_ms = 100_000;
        buckets.queue(ExpiryBuckets::bucket_of(deadline_ms, at(0)), 7);
        let mut out = Vec::new();
        assert!(!buckets.fired(at(deadline_ms), 64, &mut out));
        assert!(out.is_empty());
        buckets.fired(at(deadline_ms + (1 << BUCKET_SHIFT)), 64, &mut out);
        assert_eq!(out.len(), 1);
        assert!(buckets.buckets.is_empty());
    }

    #[test]
    fn a_call_moves_a_bounded_number_of_slots_and_the_next_call_continues() {
        let mut buckets = ExpiryBuckets::default();
        for slot in 0..100 {
            buckets.queue(1 + (slot % 3) as u32, slot);
        }
        let mut seen = Vec::new();
        loop {
            let mut out = Vec::new();
            let more = buckets.fired(at(1 << 20), 64, &mut out);
            assert!(out.len() <= 64);
            seen.extend(out.into_iter().map(|(_, slot)| slot));
            if !more {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_far_deadline_is_queued_at_the_horizon() {
        let bucket = ExpiryBuckets::bucket_of(u64::MAX - 1, at(0));
        assert_eq!(bucket, EXPIRY_HORIZON_BUCKETS as u32 + 1);
    }
}
