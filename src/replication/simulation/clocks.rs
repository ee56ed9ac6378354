//! The clocks of one machine: both start anywhere, run too fast or too slow, and the wall clock
//! steps.

use crate::store::Now;

/// The most by which a clock runs too fast or too slow, in parts per million. Two such clocks part
/// by 0.4 ms each second.
pub(super) const DRIFT_PPM_MAX: i64 = 200;
const PARTS: i64 = 1_000_000;
/// What wall clocks show when a history begins.
const WALL_START_MS: u64 = 200_000_000_000;

/// It outlives the processes of its machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    pub(super) boot_start_ms: u64,
    pub(super) drift_ppm: i64,
    pub(super) wall_offset_ms: i64,
}

impl Clocks {
    pub(super) fn now(&self, time_ms: u64) -> Now {
        let elapsed_ms = self.elapsed_ms(time_ms);
        Now {
            boot_ms: self.boot_start_ms + elapsed_ms,
            wall_ms: (WALL_START_MS + elapsed_ms).saturating_add_signed(self.wall_offset_ms),
        }
    }

    /// The simulated time at which the boot-time clock shows `boot_ms`, to the millisecond.
    pub(super) fn time_ms(&self, boot_ms: u64) -> i64 {
        (boot_ms as i64 - self.boot_start_ms as i64) * PARTS / (PARTS + self.drift_ppm)
    }

    fn elapsed_ms(&self, time_ms: u64) -> u64 {
        time_ms * (PARTS + self.drift_ppm) as u64 / PARTS as u64
    }
}
