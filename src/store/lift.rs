//! The lift: moves what this node holds to later timestamps, all of it by the same distance.
//!
//! A node that restarted alone may have a clock behind what it has forgotten. What its clients
//! wrote since would lose against older values that the partner still holds, and what they deleted
//! or flushed would come back. When it meets the partner, it learns how far the clock of its former
//! life had come, and moves all that it has written in this life above that. The order within the
//! life stays, and so do deadlines, flags and CAS uniques that a client chose. A CAS unique that is
//! a timestamp changes with it: a client that holds one has one failed `cas`.
//!
//! A node may start with a clock that was never set, which is set while it serves alone. Then what
//! came after that leap is lifted only as far as what came before needs to stay below it, often not
//! at all: the distance from a clock that was never set would put it years ahead.
//!
//! Clients go on meanwhile. Why no timestamp is lifted twice, and none is left out:
//!
//! - The clock is lifted first, in one atomic step that also tells the *ceiling*: every timestamp
//!   given before is at most the ceiling, and every later one is above all lifted ones. So what
//!   clients write during the lift needs no lift, and wins over what is lifted, in either state. If
//!   nothing after a leap is lifted, the clock stays, and the ceiling is the last timestamp before.
//! - A timestamp is given under the lock of its shard. The slots of a shard are listed in one hold
//!   of that lock after the clock was lifted: the list has every entry with an old timestamp.
//! - Each listed slot is visited once. An entry that was replaced meanwhile has a timestamp above
//!   the ceiling. A touch gives the entry a second timestamp above the ceiling and leaves the first
//!   to the visit. A tombstone of an expired or evicted item has the version and the slot of that
//!   item, lifted or not: it is visited exactly if the item was not.
//! - An `append` or a `cas` that looked at the entry before the visit and acts after it finds
//!   another version, and tries again or fails.
//! - What a flush has invalidated is left where it is, below the watermark. The watermark is
//!   lifted after all entries: no live item is below it at any moment, and no dead one above it.
//!   A flush to an absolute time in the past that comes during the lift reaches what was lifted
//!   before it when the watermark is.
//!
//! A lift is a value, not a state of the store: whoever has begun it carries it to its end, and a
//! node begins one at most in its life. If its thread panics in a step, entries of that step may
//! stay where they are; none is lifted twice.

use super::Store;
use super::hlc::Timestamp;
use super::in_place::InPlace;
use super::item::Item;
use super::mutate::{Cause, Change, SlotRef};
use super::op_context::OpContext;
use super::shift::Shift;
use crate::limits::{LIFT_HOLD_ENTRIES, LIFT_SHARD_COST_ENTRIES};
use crate::rules::{Rule, holds};

/// A lift that has begun. It must be carried to its end.
#[derive(Debug)]
pub struct Lift {
    shift: Shift,
    next_shard: usize,
    /// Slots of the shard before that one.
    slots: Vec<u64>,
    next_slot: usize,
    entries: u64,
}

impl Lift {
    fn new(shift: Shift) -> Self {
        Self {
            shift,
            next_shard: 0,
            slots: Vec::new(),
            next_slot: 0,
            entries: 0,
        }
    }

    /// How far everything is moved, in milliseconds of a timestamp.
    pub fn distance_ms(&self) -> u64 {
        self.shift.distance_ms()
    }

    /// Entries moved so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

impl Store {
    /// Begins to lift everything that was written here: above `until`, and as far as this node's
    /// clock is behind the partner's wall clock. `None`: nothing is to be moved.
    ///
    /// The clock must have given the caller a timestamp before, and the store must hold nothing of
    /// the partner.
    pub fn begin_lift(&self, until: Timestamp, partner_wall_ms: u64) -> Option<Lift> {
        let clock = &self.shared.hybrid_clock;
        let above_until = (until.ticks() + 1).saturating_sub(clock.first_given()?);
        // This node's clock, not its wall clock: if that was set back, what was written before is
        // not to end in the future.
        let partner_wall = Timestamp::at_wall_ms(partner_wall_ms);
        let behind = partner_wall.ticks().saturating_sub(clock.highest().ticks());
        let leap = clock.leap().filter(|_| holds(Rule::LiftEndsAtLeap));
        let shift = match leap {
            Some(leap) if above_until > 0 => Shift::around(leap, above_until, behind, clock),
            _ => Shift::of_all(above_until.max(behind), clock)?,
        };
        Some(Lift::new(shift))
    }

    /// Lifts about so many more entries, a few in each hold of a shard's lock. True at the end.
    pub fn lift_step(&self, lift: &mut Lift, entries: usize) -> bool {
        let mut left = entries;
        while left > 0 {
            if lift.next_slot < lift.slots.len() {
                left = left.saturating_sub(self.lift_listed(lift));
            } else if lift.next_shard < self.shards.len() {
                lift.next_slot = 0;
                lift.slots.clear();
                self.slots_of(lift.next_shard, &mut lift.slots);
                lift.next_shard += 1;
                left = left.saturating_sub(LIFT_SHARD_COST_ENTRIES);
            } else {
                if holds(Rule::LiftRaisesWatermark) {
                    self.shared.lift_flush_watermark(&lift.shift);
                }
                return true;
            }
        }
        false
    }

    /// Lifts the next entries in one hold of their shard's lock. Returns how many slots it visited.
    fn lift_listed(&self, lift: &mut Lift) -> usize {
        let start = lift.next_slot;
        let end = lift.slots.len().min(start + LIFT_HOLD_ENTRIES);
        // Before the visit: none is visited twice, even after a panic.
        lift.next_slot = end;
        let mut context = OpContext::default();
        let mut shard = self.shard(lift.slots[start]).lock();
        for &slot in &lift.slots[start..end] {
            let is_due = |item: &&Item| {
                !lift.shift.spares(item.timestamp()) && !self.shared.is_flushed(item)
            };
            let Some(item) = shard.table.peek(slot).filter(is_due) else {
                continue;
            };
            lift.entries += 1;
            let at = SlotRef::of(slot, item);
            let change = Change::InPlace(InPlace::Lift { shift: lift.shift });
            shard.mutate(&self.shared, &mut context, at, change, Cause::Lift);
        }
        drop(shard);
        self.shared.free_retired(&mut context);
        end - start
    }
}

#[cfg(test)]
impl Lift {
    /// The version that an entry will have at the end of the lift, whose slot holds `version` now.
    pub(crate) fn version_at_end(
        &self,
        store: &Store,
        slot: u64,
        version: super::Version,
    ) -> super::Version {
        if self.is_visited(store, slot) {
            version
        } else {
            self.shift.of_version(version)
        }
    }

    fn is_visited(&self, store: &Store, slot: u64) -> bool {
        let shard = super::hash::shard_of(slot, store.shard_bits);
        match (shard + 1).cmp(&self.next_shard) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => !self.slots[self.next_slot..].contains(&slot),
            std::cmp::Ordering::Greater => false,
        }
    }

    /// The version to which it moves one that was made before it began.
    pub(crate) fn lifts_to(&self, version: super::Version) -> super::Version {
        self.shift.of_version(version)
    }
}
