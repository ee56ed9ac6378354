//! Time as the store sees it: handed in once per turn, so that tests and the simulator can make it
//! up.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// 2020-01-01T00:00:00Z in Unix milliseconds: where stamps begin to count.
pub const EPOCH_UNIX_MS: u64 = 1_577_836_800_000;

/// One moment on both of a node's clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since this machine's boot, suspended time included. Deadlines live on it:
    /// it never steps.
    pub boot_ms: u64,
    /// Milliseconds since 2020-01-01 UTC. Only stamps and absolute expiry times use it.
    pub wall_ms: u64,
}

impl Now {
    /// Unix time in milliseconds.
    pub fn unix_ms(self) -> u64 {
        self.wall_ms + EPOCH_UNIX_MS
    }

    /// Unix time in whole seconds, as clients write expiry times.
    pub fn unix_secs(self) -> u64 {
        self.unix_ms() / 1000
    }
}

/// The machine's clocks. A turn reads one of them; the distance between the two is refreshed by
/// housekeeping, so that a stepped wall clock is followed within a second.
#[derive(Debug)]
pub struct Clock {
    wall_minus_boot_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that knows today's wall time.
    pub fn new() -> Self {
        let clock = Self {
            wall_minus_boot_ms: AtomicI64::new(0),
        };
        clock.refresh();
        clock
    }

    /// Takes the wall clock's word again. Cheap; called about ten times a second.
    pub fn refresh(&self) {
        let unix_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(EPOCH_UNIX_MS, |since| since.as_millis() as u64);
        let wall_ms = unix_ms.saturating_sub(EPOCH_UNIX_MS);
        self.wall_minus_boot_ms
            .store(wall_ms as i64 - boot_ms() as i64, Ordering::Relaxed);
    }

    /// The present moment: one system clock read.
    pub fn now(&self) -> Now {
        let boot_ms = boot_ms();
        let offset_ms = self.wall_minus_boot_ms.load(Ordering::Relaxed);
        Now {
            boot_ms,
            wall_ms: (boot_ms as i64 + offset_ms).max(0) as u64,
        }
    }
}

fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
