//! Estimates of the partner's clocks, made from its heartbeats.
//!
//! A heartbeat carries what the partner's clocks showed when it was made. The time it then spends
//! in buffers and on the network can only make the distance to this node's clocks larger, so the
//! smallest distance is the best one: it is wrong by the shortest way of any heartbeat. Old
//! distances are dropped, because two clocks do not run equally fast.

use crate::limits::{CLOCK_PERIOD_MS, SKEW_HEARTBEATS_MIN, SKEW_PERIOD_MS};
use crate::rules::{Rule, holds};
use crate::store::{NEVER, Now};

/// The smallest distance of a clock of this node to one of the partner's, of this period and of the
/// one before.
#[derive(Debug, Default)]
struct LeastDistance {
    ahead_ms: [Option<i64>; 2],
    period_began_ms: u64,
}

impl LeastDistance {
    /// Notes that this node's clock showed `ours_ms` when a heartbeat of `theirs_ms` arrived.
    fn note(&mut self, ours_ms: u64, theirs_ms: u64, now: Now, period_ms: u64) {
        let ahead_ms = i128::from(ours_ms) - i128::from(theirs_ms);
        let ahead_ms = ahead_ms.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        if !holds(Rule::FastestHeartbeatCounts) {
            self.ahead_ms = [None; 2];
        }
        let [this, before] = &mut self.ahead_ms;
        if now.boot_ms >= self.period_began_ms + period_ms {
            self.period_began_ms = now.boot_ms;
            *before = this.take();
        }
        *this = Some(this.map_or(ahead_ms, |least| least.min(ahead_ms)));
    }

    /// By how much this node's clock is ahead; `None` before the first heartbeat.
    fn ahead_ms(&self) -> Option<i64> {
        self.ahead_ms.into_iter().flatten().min()
    }
}

/// The partner's boot-time clock.
#[derive(Debug, Default)]
pub(super) struct PartnerClock(LeastDistance);

impl PartnerClock {
    /// A heartbeat arrived that was made when the partner's clock showed `partner_ms`.
    pub(super) fn heard(&mut self, partner_ms: u64, now: Now) {
        self.0.note(now.boot_ms, partner_ms, now, CLOCK_PERIOD_MS);
    }

    /// Converts a time of the partner's clock to this node's clock; `None` before the first
    /// heartbeat. One millisecond is added, because both clocks round down.
    pub(super) fn to_ours_ms(&self, partner_ms: u64) -> Option<u64> {
        let ahead_ms = self.0.ahead_ms()?;
        let ours_ms = partner_ms.saturating_add_signed(ahead_ms).saturating_add(1);
        Some(ours_ms.min(NEVER - 1))
    }
}

/// The partner's wall clock.
#[derive(Debug, Default)]
pub(super) struct PartnerWall {
    distance: LeastDistance,
    heartbeats: u32,
    /// What it showed last.
    shown_ms: u64,
}

impl PartnerWall {
    /// A hello or a heartbeat said what the clock showed.
    pub(super) fn shown(&mut self, wall_ms: u64) {
        self.shown_ms = wall_ms;
    }

    /// A heartbeat arrived that was made when the clock showed `wall_ms`.
    pub(super) fn heard(&mut self, wall_ms: u64, now: Now) {
        self.shown(wall_ms);
        self.heartbeats = self.heartbeats.saturating_add(1);
        let distance = &mut self.distance;
        distance.note(now.wall_ms, wall_ms, now, SKEW_PERIOD_MS);
    }

    /// How far the partner's wall clock is ahead of this node's, negative if it is behind; `None`
    /// before enough heartbeats. Too low by the shortest way of a heartbeat.
    pub(super) fn skew_ms(&self) -> Option<i64> {
        let ahead_ms = self.distance.ahead_ms()?;
        (self.heartbeats >= SKEW_HEARTBEATS_MIN).then(|| ahead_ms.saturating_neg())
    }

    /// The present wall clock as far as it is known: this node's, or the partner's on a node whose
    /// clock was never set.
    pub(super) fn known_ms(&self, now: Now) -> u64 {
        if now.has_wall() {
            now.wall_ms
        } else {
            now.wall_ms.max(self.shown_ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot_ms: u64) -> Now {
        Now::of(boot_ms, 0)
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

    #[test]
    fn the_skew_is_that_of_the_fastest_heartbeat_and_follows_a_clock_that_is_set() {
        let mut partner = PartnerWall::default();
        // The partner is 3 s ahead; heartbeats take 10 to 800 ms.
        for (nth, way_ms) in [800, 300, 10, 500, 400, 300].into_iter().enumerate() {
            let is_known = partner.skew_ms().is_some();
            assert_eq!(is_known, nth as u32 >= SKEW_HEARTBEATS_MIN);
            let sent_ms = 9_000_000 + 200 * nth as u64;
            partner.heard(sent_ms + 3000, Now::of(200 * nth as u64, sent_ms + way_ms));
        }
        assert_eq!(partner.skew_ms(), Some(2990));
        for boot_ms in (10_000..).step_by(200).take(60) {
            partner.heard(
                9_000_000 + boot_ms,
                Now::of(boot_ms, 9_000_000 + boot_ms + 4),
            );
        }
        assert_eq!(partner.skew_ms(), Some(-4));
    }

    #[test]
    fn a_node_whose_clock_was_never_set_goes_by_its_partners() {
        let mut partner = PartnerWall::default();
        assert_eq!(partner.known_ms(Now::of(0, 90)), 90);
        partner.shown(7_000_000_000);
        assert_eq!(partner.known_ms(Now::of(0, 90)), 7_000_000_000);
        assert_eq!(partner.known_ms(Now::of(0, 6_000_000_000)), 6_000_000_000);
    }
}
