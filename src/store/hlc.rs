//! Stamps: the order of all writes of a pair, and the CAS unique that clients see.
//!
//! They live in the store, not beside the link, because a stamp is taken under the shard lock of
//! its key (table order is stamp order) and the store imports nothing above it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::Now;

/// Bits of a stamp below the milliseconds: an 11-bit counter and the side.
const BELOW_MS_BITS: u32 = 12;
/// Bits of the counter that tell lives of a node apart, see [`StampClock::begin_life`].
const FIRST_COUNT_BITS: u32 = 10;
/// Bits of a whole stamp: CAS uniques survive clients that keep them in a double.
pub(crate) const STAMP_BITS: u32 = 53;

/// `milliseconds since 2020 (41 bits) | counter (11) | side (1)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// Lower than every stamp a clock gives.
    pub const ZERO: Self = Self(0);

    /// A stamp as it was read from the wire; `None` if it has more than 53 bits.
    pub fn from_wire(raw: u64) -> Option<Self> {
        (raw >> STAMP_BITS == 0).then_some(Self(raw))
    }

    /// A stamp from its 53 bits; higher bits are dropped.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw & ((1 << STAMP_BITS) - 1))
    }

    /// The lowest stamp of a millisecond since 2020.
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
}

/// What a key's state is called: the later of two versions wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// When the value was written.
    pub stamp: Stamp,
    /// When its deadline was last changed by a touch; [`Stamp::ZERO`] if never.
    pub touched: Stamp,
}

impl Version {
    /// The version of a value that no touch has changed yet.
    pub fn written(stamp: Stamp) -> Self {
        Self {
            stamp,
            touched: Stamp::ZERO,
        }
    }

    /// The later of its two stamps.
    pub fn latest(self) -> Stamp {
        self.stamp.max(self.touched)
    }
}

/// The node's hybrid logical clock: never goes back, absorbs whatever stamp it sees.
#[derive(Debug)]
pub struct StampClock {
    /// The last stamp given or absorbed, without its side bit.
    last: AtomicU64,
    side: u64,
    /// Where the counter of a new millisecond begins in this life of the node.
    first_count: AtomicU64,
}

impl StampClock {
    /// A clock for one side (0 or 1) of a pair.
    pub fn new(side: u8) -> Self {
        Self {
            last: AtomicU64::new(0),
            side: u64::from(side & 1),
            first_count: AtomicU64::new(0),
        }
    }

    /// Lets the counter of each millisecond begin elsewhere than in other lives of this node, in
    /// the lower half of its 2,048. A node that starts again alone with its clock set back lives
    /// through the same milliseconds twice, and no two values of a key may get the same stamp.
    pub fn begin_life(&self, incarnation: u64) {
        let spread = incarnation.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let first_count = spread >> (u64::BITS - FIRST_COUNT_BITS);
        self.first_count.store(first_count, Ordering::Relaxed);
    }

    /// A stamp above every stamp given or absorbed before. A full counter carries into the
    /// milliseconds, so it never waits.
    pub fn next(&self, now: Now) -> Stamp {
        let wall = now.wall_ms << (BELOW_MS_BITS - 1) | self.first_count.load(Ordering::Relaxed);
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = wall.max(last + 1);
            match self
                .last
                .compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Stamp::from_raw(next << 1 | self.side),
                Err(seen) => last = seen,
            }
        }
    }

    /// Makes every later stamp higher than `stamp`, whatever it says.
    pub fn absorb(&self, stamp: Stamp) {
        self.last.fetch_max(stamp.0 >> 1, Ordering::Relaxed);
    }

    /// The highest stamp given or absorbed.
    pub fn highest(&self) -> Stamp {
        Stamp::from_raw(self.last.load(Ordering::Relaxed) << 1 | self.side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        let clock = StampClock::new(1);
        let now = Now {
            boot_ms: 0,
            wall_ms: 77,
        };
        let stamps: Vec<_> = (0..5000).map(|_| clock.next(now)).collect();
        assert!(stamps.is_sorted_by(|a, b| a < b));
        assert_eq!(stamps[0].wall_ms(), 77);
        assert_eq!(stamps[4999].wall_ms(), 77 + 4999 / 2048);
        assert!(stamps.iter().all(|stamp| stamp.get() & 1 == 1));
    }

    #[test]
    fn an_absorbed_stamp_is_never_reached_again_even_if_the_wall_clock_is_behind() {
        let clock = StampClock::new(0);
        let ahead = Stamp::from_raw(u64::MAX >> 12);
        clock.absorb(ahead);
        assert!(
            clock.next(Now {
                boot_ms: 0,
                wall_ms: 5
            }) > ahead
        );
        assert!(clock.highest() > ahead);
    }

    #[test]
    fn two_lives_in_the_same_milliseconds_take_different_stamps() {
        let wall_ms = 77;
        let stamps = |incarnation| {
            let clock = StampClock::new(0);
            clock.begin_life(incarnation);
            (0..100u64)
                .map(|nth| {
                    let now = Now {
                        boot_ms: 0,
                        wall_ms: wall_ms + nth / 10,
                    };
                    clock.next(now)
                })
                .collect::<Vec<_>>()
        };
        let first = stamps(1);
        assert!(first.is_sorted_by(|a, b| a < b));
        assert_eq!(first[99].wall_ms(), wall_ms + 9);
        for incarnation in 2..20 {
            let later = stamps(incarnation);
            assert!(later.iter().all(|stamp| !first.contains(stamp)));
        }
    }

    #[test]
    fn a_stamp_fits_a_double() {
        let year_2089 = Now {
            boot_ms: 0,
            wall_ms: (1 << 41) - 1,
        };
        let raw = StampClock::new(1).next(year_2089).get();
        assert_eq!(raw as f64 as u64, raw);
        assert_eq!(Stamp::from_wire(1 << 53), None);
    }
}
