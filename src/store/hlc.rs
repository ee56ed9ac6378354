//! Timestamps: the order of all writes of a pair, and the CAS unique that clients see.
//!
//! They live in the store, not beside the link, because a timestamp is taken under the shard lock
//! of its key (table order is timestamp order) and the store imports nothing above it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::Now;
use crate::limits::LEAP_MS_MIN;

/// Bits of a timestamp below the milliseconds: an 11-bit counter and the side.
const BELOW_MS_BITS: u32 = 12;
/// Bits of the counter that tell lives of a node apart, see [`HybridClock::begin_incarnation`].
const FIRST_COUNT_BITS: u32 = 10;
/// Bits of a whole timestamp: CAS uniques survive clients that keep them in a double.
pub(crate) const TIMESTAMP_BITS: u32 = 53;

/// A timestamp: `milliseconds since 2020 (41 bits) | counter (11) | side (1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Lower than every timestamp of a clock.
    pub const ZERO: Self = Self(0);

    /// A timestamp as it was read from the wire; `None` if it has more than 53 bits.
    pub fn from_wire(raw: u64) -> Option<Self> {
        (raw >> TIMESTAMP_BITS == 0).then_some(Self(raw))
    }

    /// A timestamp from its 53 bits; higher bits are dropped.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw & ((1 << TIMESTAMP_BITS) - 1))
    }

    /// The lowest timestamp of a millisecond since 2020.
    pub fn at_wall_ms(wall_ms: u64) -> Self {
        Self::from_raw(wall_ms << BELOW_MS_BITS)
    }

    /// The 53 bits as a number: the CAS unique.
    pub fn get(self) -> u64 {
        self.0
    }

    /// Milliseconds since 2020-01-01 UTC.
    pub fn wall_ms(self) -> u64 {
        self.0 >> BELOW_MS_BITS
    }

    /// The number that a clock counts: the timestamp without its side.
    pub(super) fn ticks(self) -> u64 {
        self.0 >> 1
    }

    /// The timestamp so many ticks later, of the same side.
    pub(super) fn plus_ticks(self, ticks: u64) -> Self {
        let ticks = self.ticks().saturating_add(ticks).min(TICKS_MAX);
        Self::from_raw(ticks << 1 | self.0 & 1)
    }
}

/// The version of a key's state. Of two versions the higher one wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// When the value was written.
    pub timestamp: Timestamp,
    /// When its deadline was last changed by a touch; [`Timestamp::ZERO`] if never.
    pub touched: Timestamp,
}

impl Version {
    /// The version of a value that was not touched yet.
    pub fn written(timestamp: Timestamp) -> Self {
        Self {
            timestamp,
            touched: Timestamp::ZERO,
        }
    }

    /// The later of its two timestamps.
    pub fn latest(self) -> Timestamp {
        self.timestamp.max(self.touched)
    }
}

/// The node's hybrid logical clock. It never goes back, and absorbs the timestamps of the partner.
#[derive(Debug)]
pub struct HybridClock {
    /// The last timestamp given or absorbed, without its side bit.
    last: AtomicU64,
    side: u64,
    /// Where the counter of a new millisecond starts in this incarnation.
    first_count: AtomicU64,
    /// No timestamp that this clock gave is lower, without its side; [`NONE_GIVEN`] at first.
    first_given: AtomicU64,
    /// The clock when it was lifted, without its side; 0 if it was not.
    lifted_from: AtomicU64,
    /// The last timestamp before the clock's longest leap, and the first one after it, without
    /// their sides; 0 before the first leap.
    leap: [AtomicU64; 2],
}

/// A leap of the clock, in ticks: its wall clock was set, or nothing was written for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leap {
    /// The last timestamp before it.
    pub(super) from: u64,
    /// The first one after it.
    pub(super) to: u64,
}

/// No timestamp was given yet.
const NONE_GIVEN: u64 = u64::MAX;
/// A clock that passes more at once leaps.
const LEAP_TICKS_MIN: u64 = LEAP_MS_MIN << (BELOW_MS_BITS - 1);
/// The highest number of ticks that a timestamp holds.
const TICKS_MAX: u64 = (1 << (TIMESTAMP_BITS - 1)) - 1;

impl HybridClock {
    /// A clock for one side (0 or 1) of a pair.
    pub fn new(side: u8) -> Self {
        Self {
            last: AtomicU64::new(0),
            side: u64::from(side & 1),
            first_count: AtomicU64::new(0),
            first_given: AtomicU64::new(NONE_GIVEN),
            lifted_from: AtomicU64::new(0),
            leap: [const { AtomicU64::new(0) }; 2],
        }
    }

    /// Makes the counter of each millisecond start at another value than in other incarnations of
    /// this node, in the lower half of its 2,048. A node that restarts alone with its clock set
    /// back sees the same milliseconds again, and no two values of a key may have one timestamp.
    pub fn begin_incarnation(&self, incarnation: u64) {
        let spread = incarnation.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let first_count = spread >> (u64::BITS - FIRST_COUNT_BITS);
        self.first_count.store(first_count, Ordering::Relaxed);
    }

    /// A timestamp above all given or absorbed before. A full counter carries into the
    /// milliseconds, so this never waits.
    pub fn next(&self, now: Now) -> Timestamp {
        let wall = self.wall_ticks(now);
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = wall.max(last + 1);
            // Before `last`: who sees that the timestamp was given sees that it may be the first.
            if next < self.first_given.load(Ordering::Relaxed) {
                self.first_given.fetch_min(next, Ordering::Relaxed);
            }
            match self
                .last
                .compare_exchange_weak(last, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => {
                    if next - last > LEAP_TICKS_MIN {
                        self.note_leap(last, next);
                    }
                    return Timestamp::from_raw(next << 1 | self.side);
                }
                Err(seen) => last = seen,
            }
        }
    }

    /// Remembers a leap, unless it is the clock's first timestamp, or shorter than another.
    #[cold]
    fn note_leap(&self, from: u64, to: u64) {
        let known = self.leap().map_or(0, |leap| leap.to - leap.from);
        if from > 0 && to - from > known {
            // Only one thread passes a leap, and two leaps are far apart. Whoever sees its end sees
            // where it began.
            let [known_from, known_to] = &self.leap;
            known_from.store(from, Ordering::Relaxed);
            known_to.store(to, Ordering::Release);
        }
    }

    /// The clock's longest leap.
    pub(super) fn leap(&self) -> Option<Leap> {
        let [from, to] = &self.leap;
        let to = to.load(Ordering::Acquire);
        let from = from.load(Ordering::Relaxed);
        // A longer one is being noted.
        (from < to).then_some(Leap { from, to })
    }

    fn wall_ticks(&self, now: Now) -> u64 {
        now.wall_ms << (BELOW_MS_BITS - 1) | self.first_count.load(Ordering::Relaxed)
    }

    /// The higher of the wall clock and the highest timestamp given or absorbed.
    pub fn reading(&self, now: Now) -> Timestamp {
        let ticks = self.last.load(Ordering::Relaxed).max(self.wall_ticks(now));
        Timestamp::from_raw(ticks << 1 | self.side)
    }

    /// No timestamp of this clock is lower, among those given before the caller's last call of
    /// [`Self::next`]. In ticks; `None` if none was given.
    pub(super) fn first_given(&self) -> Option<u64> {
        // Acquire, paired with `next`: whoever gave a timestamp before has noted the first.
        self.last.load(Ordering::Acquire);
        Some(self.first_given.load(Ordering::Relaxed)).filter(|&first| first != NONE_GIVEN)
    }

    /// Moves the clock up, so that what is given from now on stays above all that was given before,
    /// once that is moved up as far. Returns the highest timestamp given or absorbed before.
    pub(super) fn lift(&self, ticks: u64) -> Timestamp {
        let lifted = |last: u64| Some(last.saturating_add(ticks).min(TICKS_MAX));
        // The closure always returns a value, so both results hold the old one.
        let (Ok(last) | Err(last)) =
            self.last
                .fetch_update(Ordering::AcqRel, Ordering::Relaxed, lifted);
        self.lifted_from.store(last, Ordering::Release);
        Timestamp::from_raw(last << 1 | 1)
    }

    /// What was given up to `last`, in ticks, is moved up, and nothing that came after it: the
    /// clock stays. Returns the highest timestamp that is moved.
    pub(super) fn lift_up_to(&self, last: u64) -> Timestamp {
        self.lifted_from.store(last, Ordering::Release);
        Timestamp::from_raw(last << 1 | 1)
    }

    /// Whether a timestamp was given after the clock was lifted; true if it never was.
    pub(super) fn is_above_lift(&self, timestamp: Timestamp) -> bool {
        timestamp.ticks() > self.lifted_from.load(Ordering::Acquire)
    }

    /// Makes every later timestamp higher than `timestamp`, however far that is ahead.
    pub fn absorb(&self, timestamp: Timestamp) {
        self.last.fetch_max(timestamp.0 >> 1, Ordering::Relaxed);
    }

    /// No timestamp given or absorbed so far is higher, of whichever side.
    pub(super) fn ceiling(&self) -> Timestamp {
        Timestamp::from_raw(self.last.load(Ordering::Relaxed) << 1 | 1)
    }

    /// The highest timestamp given or absorbed.
    pub fn highest(&self) -> Timestamp {
        Timestamp::from_raw(self.last.load(Ordering::Relaxed) << 1 | self.side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        let clock = HybridClock::new(1);
        let now = Now::of(0, 77);
        let timestamps: Vec<_> = (0..5000).map(|_| clock.next(now)).collect();
        assert!(timestamps.is_sorted_by(|a, b| a < b));
        assert_eq!(timestamps[0].wall_ms(), 77);
        assert_eq!(timestamps[4999].wall_ms(), 77 + 4999 / 2048);
        assert!(timestamps.iter().all(|timestamp| timestamp.get() & 1 == 1));
    }

    #[test]
    fn later_timestamps_are_above_an_absorbed_one_even_if_the_wall_clock_is_behind() {
        let clock = HybridClock::new(0);
        let ahead = Timestamp::from_raw(u64::MAX >> 12);
        clock.absorb(ahead);
        assert!(clock.next(Now::of(0, 5)) > ahead);
        assert!(clock.highest() > ahead);
    }

    #[test]
    fn two_incarnations_use_different_timestamps_in_the_same_milliseconds() {
        let wall_ms = 77;
        let timestamps = |incarnation| {
            let clock = HybridClock::new(0);
            clock.begin_incarnation(incarnation);
            (0..100u64)
                .map(|nth| {
                    let now = Now::of(0, wall_ms + nth / 10);
                    clock.next(now)
                })
                .collect::<Vec<_>>()
        };
        let first = timestamps(1);
        assert!(first.is_sorted_by(|a, b| a < b));
        assert_eq!(first[99].wall_ms(), wall_ms + 9);
        for incarnation in 2..20 {
            let later = timestamps(incarnation);
            assert!(later.iter().all(|timestamp| !first.contains(timestamp)));
        }
    }

    #[test]
    fn the_longest_leap_is_remembered_and_the_first_timestamp_is_none() {
        let clock = HybridClock::new(0);
        let minute_ms = 60_000;
        clock.next(Now::of(0, 10 * minute_ms));
        assert_eq!(clock.leap(), None);
        let before = clock.next(Now::of(0, 11 * minute_ms)).ticks();
        assert_eq!(clock.leap(), None);
        let after = clock.next(Now::of(0, 20 * minute_ms)).ticks();
        let leap = Some(Leap {
            from: before,
            to: after,
        });
        assert_eq!(clock.leap(), leap);
        clock.next(Now::of(0, 25 * minute_ms));
        assert_eq!(clock.leap(), leap);
    }

    #[test]
    fn a_timestamp_fits_a_double() {
        let year_2089 = Now::of(0, (1 << 41) - 1);
        let raw = HybridClock::new(1).next(year_2089).get();
        assert_eq!(raw as f64 as u64, raw);
        assert_eq!(Timestamp::from_wire(1 << 53), None);
    }
}
