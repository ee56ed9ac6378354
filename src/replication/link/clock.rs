//! What the partner's boot-time clock shows, as far as a link can tell.

use crate::limits::CLOCK_PERIOD_MS;
use crate::store::{NEVER, Now};

/// How far our clock is ahead of the partner's: the smallest distance seen.
///
/// A heartbeat says what the partner's clock showed when it was made; the time it has waited in
/// buffers and on the way since makes the distance larger, never smaller. Old distances are
/// forgotten, because two clocks do not run equally fast.
#[derive(Debug, Default)]
pub(super) struct PartnerClock {
    /// In this period and in the one before.
    ahead_ms: [Option<i64>; 2],
    period_began_ms: u64,
}

impl PartnerClock {
    /// A heartbeat came that was made when the partner's clock showed `partner_ms`.
    pub(super) fn heard(&mut self, partner_ms: u64, now: Now) {
        let ahead_ms = i128::from(now.boot_ms) - i128::from(partner_ms);
        let ahead_ms = ahead_ms.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let [this, before] = &mut self.ahead_ms;
        if now.boot_ms >= self.period_began_ms + CLOCK_PERIOD_MS {
            self.period_began_ms = now.boot_ms;
            *before = this.take();
        }
        *this = Some(this.map_or(ahead_ms, |least| least.min(ahead_ms)));
    }

    /// A moment of the partner's clock on ours, not too early: both count whole milliseconds.
    /// `None` before the first heartbeat.
    pub(super) fn to_ours_ms(&self, partner_ms: u64) -> Option<u64> {
        let ahead_ms = self.ahead_ms.into_iter().flatten().min()?;
        let ours_ms = partner_ms.saturating_add_signed(ahead_ms).saturating_add(1);
        Some(ours_ms.min(NEVER - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot_ms: u64) -> Now {
        Now {
            boot_ms,
            wall_ms: 0,
        }
    }

    #[test]
    fn the_heartbeat_that_waited_least_counts() {
        let mut clock = PartnerClock::default();
        assert_eq!(clock.to_ours_ms(7), None);
        for (partner_ms, now_ms) in [(1000, 5900), (1200, 5210), (1400, 8000)] {
            clock.heard(partner_ms, at(now_ms));
        }
        assert_eq!(clock.to_ours_ms(2000), Some(6011));
    }

    #[test]
    fn a_clock_that_runs_slower_is_followed() {
        let mut clock = PartnerClock::default();
        clock.heard(0, at(10));
        for period in 1..=3 {
            let now_ms = period * CLOCK_PERIOD_MS + 10;
            clock.heard(now_ms - 10 - 5 * period, at(now_ms));
        }
        assert_eq!(clock.to_ours_ms(0), Some(10 + 5 * 2 + 1));
    }

    #[test]
    fn a_clock_that_makes_no_sense_makes_no_item_immortal() {
        let mut clock = PartnerClock::default();
        clock.heard(u64::MAX, at(1));
        clock.heard(0, at(u64::MAX / 2));
        for ms in [0, u64::MAX] {
            assert!(clock.to_ours_ms(ms).unwrap() < NEVER);
        }
    }
}
