//! How far a lift moves each timestamp.

use super::hlc::{HybridClock, Leap, Timestamp, Version};
use crate::rules::{Rule, holds};

/// Moves the timestamps up to a ceiling, and keeps their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    /// How far those of before the leap are moved, in ticks.
    before_leap: u64,
    leap: Option<Leap>,
    /// How far the others are moved, in ticks.
    ticks: u64,
    /// What is above was given later, and stays.
    ceiling: Timestamp,
}

impl Shift {
    /// Moves all by one distance, and the clock with them. `None`: nothing is to be moved.
    pub(super) fn of_all(ticks: u64, clock: &HybridClock) -> Option<Self> {
        (ticks > 0).then(|| Self {
            before_leap: ticks,
            leap: None,
            ticks,
            ceiling: clock.lift(ticks),
        })
    }

    /// Moves those of before a leap so far, and the others by `behind` ticks, or by what puts them
    /// above those.
    pub(super) fn around(leap: Leap, before_leap: u64, behind: u64, clock: &HybridClock) -> Self {
        let above_moved = (leap.from + before_leap + 1).saturating_sub(leap.to);
        let ticks = above_moved.max(behind);
        let ceiling = match ticks {
            0 => clock.lift_up_to(leap.from),
            _ => clock.lift(ticks),
        };
        Self {
            before_leap,
            leap: Some(leap),
            ticks,
            ceiling,
        }
    }

    /// Whether a timestamp is not moved, because it was given later.
    pub(super) fn spares(&self, timestamp: Timestamp) -> bool {
        timestamp > self.ceiling && holds(Rule::LiftSparesNewWrites)
    }

    /// The timestamp to which one is moved.
    pub(crate) fn of(&self, timestamp: Timestamp) -> Timestamp {
        if timestamp == Timestamp::ZERO || self.spares(timestamp) {
            return timestamp;
        }
        match self.leap {
            Some(leap) if timestamp.ticks() <= leap.from => timestamp.plus_ticks(self.before_leap),
            _ => timestamp.plus_ticks(self.ticks),
        }
    }

    /// The version with both timestamps moved.
    pub(crate) fn of_version(&self, version: Version) -> Version {
        Version {
            timestamp: self.of(version.timestamp),
            touched: self.of(version.touched),
        }
    }

    /// The longest way of any timestamp, in milliseconds.
    pub(super) fn distance_ms(&self) -> u64 {
        let ticks = self.before_leap.max(self.ticks);
        Timestamp::ZERO.plus_ticks(ticks).wall_ms()
    }
}
