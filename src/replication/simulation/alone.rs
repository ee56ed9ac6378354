//! What a node writes before it has met its partner in its life, which a lift may move.
//!
//! Until then its versions say nothing beside those of the other node: they are kept apart. When it
//! meets the other, they take their place among all, as the lift moves them: above the clock that
//! the other had when its link to an earlier life ended, and none of them twice on the pair.

use super::command::CommandKind;
use super::model::{KeyHistory, Model};
use super::node::SimNode;
use crate::store::{Lift, Store, Timestamp, Version};

/// One side of the pair, in its present life.
#[derive(Debug, Default)]
pub(super) struct Alone {
    /// It has met the other node.
    pub(super) has_met: bool,
    /// A client has flushed it before.
    has_flushed: bool,
    /// What the other remembered of an earlier life when they met.
    partner_had: Option<Timestamp>,
}

impl KeyHistory {
    /// The node of this side has met the other.
    fn meet(
        &mut self,
        side: usize,
        lift: Option<&Lift>,
        partner: &Store,
        partner_had: Option<Timestamp>,
    ) -> Result<(), String> {
        let moved = |version| match lift {
            Some(lift) if version != Version::default() => lift.lifts_to(version),
            _ => version,
        };
        let held_there = self.entry(partner).map(|item| item.version());
        for (before, content) in std::mem::take(&mut self.sides[side].made_alone) {
            let version = moved(before);
            if partner_had.is_some_and(|had| !is_above(version.timestamp, had)) {
                return Err(format!(
                    "{before:?}, made alone, became {version:?}: the partner had {partner_had:?}"
                ));
            }
            // A version of a life that nobody remembers may have been the same.
            if self.made(version).is_some() && held_there == Some(version) {
                return Err(format!("{version:?} was made twice"));
            }
            self.log.push((version, content));
            if version > self.best.0 {
                self.best = (version, content);
            }
        }
        let known = &mut self.sides[side];
        known.held = moved(known.held);
        known.told = moved(known.told);
        known.compared = Version::default();
        known.evicted = known.evicted.iter().copied().map(moved).collect();
        Ok(())
    }
}

/// Whether a timestamp is above another of any side.
fn is_above(timestamp: Timestamp, other: Timestamp) -> bool {
    timestamp.get() >> 1 > other.get() >> 1
}

impl Model {
    /// A command has run at a node.
    pub(super) fn note_command(&mut self, kind: CommandKind, side: usize) {
        let alone = &mut self.alone[side];
        alone.has_flushed |= kind == CommandKind::FlushNow && !alone.has_met;
    }

    /// Called after a node has received something: it may have met the other with it.
    pub(super) fn note_meeting(&mut self, node: &SimNode, partner: &SimNode) -> Result<(), String> {
        let alone = &mut self.alone[node.side];
        if alone.has_met || !node.link.has_met() {
            return Ok(());
        }
        let earlier = partner
            .last_link
            .filter(|(life, _)| *life != node.incarnation);
        alone.has_met = true;
        alone.partner_had = earlier.map(|(_, until)| until);
        let partner_had = alone.partner_had;
        for (which, history) in self.keys.iter_mut().enumerate() {
            let met = history.meet(node.side, node.link.lift(), &partner.store, partner_had);
            met.map_err(|what| format!("key {which}: {what}"))?;
        }
        Ok(())
    }

    /// A link is up: what a node has flushed alone stays flushed.
    pub(super) fn check_flushed_alone(&mut self, side: usize, store: &Store) -> Result<(), String> {
        let alone = &mut self.alone[side];
        let partner_had = alone.partner_had.take().unwrap_or(Timestamp::ZERO);
        let was_flushed = std::mem::take(&mut alone.has_flushed);
        let watermark = store.flush_watermark();
        if was_flushed && !is_above(watermark, partner_had) {
            return Err(format!(
                "side {side} was flushed alone, to {watermark:?}; the partner had {partner_had:?}"
            ));
        }
        Ok(())
    }
}
