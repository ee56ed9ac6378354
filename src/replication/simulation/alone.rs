//! What a node writes before it has met its partner in its life, which a lift may move.
//!
//! Until then its versions say nothing beside those of the other node: they are kept apart. When it
//! meets the other, they take their place among all, as the lift moves them: above the clock that
//! the other had when its link to an earlier life ended, and none of them twice on the pair.

use std::collections::HashMap;

use super::model::{KeyHistory, Model, Written};
use super::node::SimNode;
use crate::store::{Lift, Store, Timestamp, Version};

/// One side of the pair, in its present life.
#[derive(Debug, Default)]
pub(super) struct Alone {
    /// It has met the other node.
    pub(super) has_met: bool,
    /// A client has flushed it before.
    pub(super) has_flushed: bool,
    /// What the other remembered of an earlier life when they met.
    partner_had: Option<Timestamp>,
}

/// The versions of a key that were made alone, see [`Alone`].
pub(super) type MadeAlone = HashMap<Version, Option<Written>>;

impl KeyHistory {
    /// What a client wrote with this version, of those that mean something at this node.
    pub(super) fn written_at(&self, side: usize, version: Version) -> Option<Written> {
        match self.made_alone[side].get(&version) {
            Some(written) => *written,
            None => self.written(version),
        }
    }

    /// The version of the entry, as it is once the lift that may be under way has ended.
    pub(super) fn version_in(
        &self,
        store: &Store,
        lift: Option<&Lift>,
        version: Version,
    ) -> Version {
        lift.map_or(version, |lift| {
            lift.version_at_end(store, self.slot, version)
        })
    }

    /// The node of this side has met the other.
    fn meet(
        &mut self,
        side: usize,
        lift: Option<&Lift>,
        partner: &Store,
        partner_had: Option<Timestamp>,
    ) -> Result<(), String> {
        let moved = |version| lift.map_or(version, |lift| lift.lifts_to(version));
        for (before, written) in std::mem::take(&mut self.made_alone[side]) {
            let version = moved(before);
            if partner_had.is_some_and(|had| !is_above(version.timestamp, had)) {
                return Err(format!(
                    "{before:?}, made alone, became {version:?}: the partner had {partner_had:?}"
                ));
            }
            // A version of a life that nobody remembers may have been the same.
            let held = self.entry(partner).map(|item| item.version());
            if self.log.insert(version, written).is_some() && held == Some(version) {
                return Err(format!("{version:?} was made twice"));
            }
            self.best = self.best.max_by_version((version, written));
        }
        self.seen[side] = moved(self.seen[side]);
        self.compared[side] = Version::default();
        self.evicted[side] = self.evicted[side].iter().copied().map(moved).collect();
        Ok(())
    }
}

/// The later of two versions, with what was written.
trait MaxByVersion {
    fn max_by_version(self, other: Self) -> Self;
}

impl MaxByVersion for (Version, Option<Written>) {
    fn max_by_version(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }
}

/// Whether a timestamp is above another of any side.
fn is_above(timestamp: Timestamp, other: Timestamp) -> bool {
    timestamp.get() >> 1 > other.get() >> 1
}

impl Model {
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
