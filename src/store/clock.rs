//! The clocks of a node. The time is passed to the store once per turn, so that tests and the
//! simulator can set it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::limits::{WALL_JITTER_MS, WALL_READS, WALL_UNSET_MS};

/// 2020-01-01T00:00:00Z in Unix milliseconds: where timestamps begin to count.
pub const EPOCH_UNIX_MS: u64 = 1_577_836_800_000;

/// One time, on both clocks of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since this machine's boot, suspended time included. Deadlines live on it:
    /// it never steps.
    pub boot_ms: u64,
    /// Milliseconds since 2020-01-01 UTC. Only timestamps and absolute expiry times use it.
    pub wall_ms: u64,
}

impl Now {
    /// A time of a test.
    #[cfg(test)]
    pub(crate) const fn of(boot_ms: u64, wall_ms: u64) -> Self {
        Self { boot_ms, wall_ms }
    }

    /// Whether the wall clock was ever set: a machine without a battery for it starts in 1970.
    pub fn has_wall(self) -> bool {
        self.wall_ms >= WALL_UNSET_MS
    }

    /// Unix time in milliseconds.
    pub fn unix_ms(self) -> u64 {
        self.wall_ms + EPOCH_UNIX_MS
    }

    /// Unix time in whole seconds, as clients write expiry times.
    pub fn unix_secs(self) -> u64 {
        self.unix_ms() / 1000
    }

    /// The Unix time, in milliseconds, of another time on the boot-time clock.
    ///
    /// Callers that show seconds round this sum. A sum of rounded times would change from one
    /// second to the next.
    pub fn unix_ms_at(self, boot_ms: u64) -> u64 {
        let unix_minus_boot_ms = self.unix_ms() as i64 - self.boot_ms as i64;
        boot_ms.saturating_add_signed(unix_minus_boot_ms)
    }

    /// Seconds until a deadline on the boot-time clock, negative once it has passed. Rounded up, so
    /// that a time to live that was just set shows unchanged.
    pub fn secs_until(self, deadline_ms: u64) -> i64 {
        let left_ms = deadline_ms as i64 - self.boot_ms as i64;
        left_ms.saturating_add(999).div_euclid(1000)
    }
}

/// The machine's clocks. A turn reads only the boot-time clock. Housekeeping measures the distance
/// of the wall clock from it, so a step of the wall clock is followed within a second.
///
/// The two clocks cannot be read at the same instant, so each measurement is inexact. A distance
/// within [`WALL_JITTER_MS`] of the one in use is ignored: times shown to clients do not jitter.
#[derive(Debug)]
pub struct Clock {
    wall_minus_boot_ms: AtomicI64,
    recent_boot_ms: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Measures the wall clock.
    pub fn new() -> Self {
        let clock = Self::measured(0);
        clock.refresh();
        clock
    }

    /// A clock with this distance of the wall clock from the boot-time clock.
    pub(crate) fn measured(wall_minus_boot_ms: i64) -> Self {
        Self {
            wall_minus_boot_ms: AtomicI64::new(wall_minus_boot_ms),
            recent_boot_ms: AtomicU64::new(0),
        }
    }

    /// Measures the wall clock again. Called about ten times a second.
    pub fn refresh(&self) {
        self.take(measure_wall_minus_boot_ms());
        self.recent_boot_ms.store(boot_ms(), Ordering::Relaxed);
    }

    /// The boot-time clock at the last [`Self::refresh`], without a system call.
    pub fn recent_boot_ms(&self) -> u64 {
        self.recent_boot_ms.load(Ordering::Relaxed)
    }

    /// Uses a measured distance if it differs from the one in use by more than the jitter.
    pub(crate) fn take(&self, measured_ms: i64) {
        let in_use_ms = self.wall_minus_boot_ms.load(Ordering::Relaxed);
        if measured_ms.abs_diff(in_use_ms) > WALL_JITTER_MS {
            self.wall_minus_boot_ms
                .store(measured_ms, Ordering::Relaxed);
        }
    }

    /// The present time; reads the boot-time clock.
    pub fn now(&self) -> Now {
        self.at(boot_ms())
    }

    /// The time at which the boot-time clock shows `boot_ms`.
    pub(crate) fn at(&self, boot_ms: u64) -> Now {
        let offset_ms = self.wall_minus_boot_ms.load(Ordering::Relaxed);
        Now {
            boot_ms,
            wall_ms: (boot_ms as i64 + offset_ms).max(0) as u64,
        }
    }
}

/// Reads both clocks, and again if the thread was interrupted between the two reads.
fn measure_wall_minus_boot_ms() -> i64 {
    let readings = (0..WALL_READS).map(|_| {
        let before_ms = boot_ms();
        let wall_ms = wall_ms();
        let took_ms = boot_ms() - before_ms;
        (took_ms, wall_ms as i64 - (before_ms + took_ms / 2) as i64)
    });
    let mut best = (u64::MAX, 0);
    for reading in readings {
        best = best.min(reading);
        if best.0 <= 1 {
            break;
        }
    }
    best.1
}

fn wall_ms() -> u64 {
    let unix_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(EPOCH_UNIX_MS, |since| since.as_millis() as u64);
    unix_ms.saturating_sub(EPOCH_UNIX_MS)
}

fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: the measured distance jittered by a millisecond ten times a second, and with it
    /// every absolute time that was shown.
    #[test]
    fn jitter_is_ignored_and_a_step_is_followed() {
        let clock = Clock::measured(1_000_000);
        let most_ms = WALL_JITTER_MS as i64;
        for jitter_ms in [1, -1, 7, -7, most_ms, -most_ms] {
            clock.take(1_000_000 + jitter_ms);
            assert_eq!(clock.at(5).wall_ms, 1_000_005, "{jitter_ms}");
        }
        for step_ms in [most_ms + 1, -500, 3_600_000, -86_400_000] {
            let measured_ms = 200_000_000 + step_ms;
            clock.take(measured_ms);
            assert_eq!(clock.at(5).wall_ms, measured_ms as u64 + 5);
        }
    }

    /// However slowly the two clocks drift apart, the error never exceeds the jitter.
    #[test]
    fn a_drift_is_followed() {
        let clock = Clock::measured(0);
        for measured_ms in 0..1000 {
            clock.take(measured_ms);
            let shown_ms = clock.at(0).wall_ms;
            assert!(shown_ms.abs_diff(measured_ms as u64) <= WALL_JITTER_MS);
        }
    }

    /// A time to live that was just set shows unchanged, not a second less.
    #[test]
    fn seconds_until_a_deadline_are_rounded_up() {
        let now = Clock::measured(0).at(10_000);
        for (deadline_ms, secs) in [
            (110_000, 100),
            (109_999, 100),
            (109_001, 100),
            (109_000, 99),
            (10_001, 1),
            (10_000, 0),
            (9_001, 0),
            (9_000, -1),
            (0, -10),
        ] {
            assert_eq!(now.secs_until(deadline_ms), secs, "{deadline_ms}");
        }
    }

    #[test]
    fn the_machines_clocks_are_read() {
        let clock = Clock::new();
        let now = clock.now();
        assert!(now.wall_ms.abs_diff(wall_ms()) < 60_000);
        assert!(now.boot_ms.abs_diff(boot_ms()) < 60_000);
    }
}
