//! An estimate of the partner's boot-time clock, made from its heartbeats.

use crate::limits::CLOCK_PERIOD_MS;
use crate::store::{NEVER, Now};

/// How far this node's clock is ahead of the partner's: the smallest distance measured.
///
/// A heartbeat carries what the partner's clock showed when it was made. The time it then spends
/// in buffers and on the network can only make the distance larger, so the smallest is the best
/// one. Old distances are dropped, because two clocks do not run equally fast.
#[derive(Debug, Default)]
pub(super) struct PartnerClock {
    /// The smallest of this period and of the one before.
    ahead_ms: [Option<i64>; 2],
    period_began_ms: u64,
}

impl PartnerClock {
    /// A heartbeat arrived that was made when the partner's clock showed `partner_ms`.
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

    /// Converts a time of the partner's clock to this node's clock; `None` before the first
    /// heartbeat. One millisecond is added, because both clocks round down.
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
    fn the_heartbeat_with_the_shortest_delay_counts() {
        let mut clock = PartnerClock::default();
        assert_eq!(clock.to_ours_ms(7), None);
        for (partner_ms, now_ms) in [(1000, 5900), (1200, 5210), (1400, 8000)] {
            clock.heard(partner_ms, at(now_ms));
        }
        assert_eq!(clock.to_ours_ms(2000), Some(6011));
    }

    #[test]
    fn the_estimate_follows_a_partner_clock_that_runs_slower() {
        let mut clock = PartnerClock::default();
        clock.heard(0, at(10));
        for period in 1..=3 {
            let now_ms = period * CLOCK_PERIOD_MS + 10;
            clock.heard(now_ms - 10 - 5 * period, at(now_ms));
        }
        assert_eq!(clock.to_ours_ms(0), Some(10 + 5 * 2 + 1));
    }

    #[test]
    fn no_partner_clock_makes_an_item_live_for_ever() {
        let mut clock = PartnerClock::default();
        clock.heard(u64::MAX, at(1));
        clock.heard(0, at(u64::MAX / 2));
        for ms in [0, u64::MAX] {
            assert!(clock.to_ours_ms(ms).unwrap() < NEVER);
        }
    }
}
