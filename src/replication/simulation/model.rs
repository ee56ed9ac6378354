//! Every state of a key that clients made, and which of them must survive.

use super::alone::Alone;
use super::command::TTL_MS_MAX;
use super::content::Content;
use super::node::SimNode;
use super::plan::Plan;
use crate::store::{Item, Lift, Store, Timestamp, Version};

#[derive(Debug)]
pub(super) struct Model {
    pub(super) plan: Plan,
    pub(super) keys: Vec<KeyHistory>,
    pub(super) alone: [Alone; 2],
    /// The highest flush watermark that some node still has.
    pub(super) flush_watermark: Timestamp,
    pub(super) versions: u64,
    ids: u64,
}

#[derive(Debug, Default)]
pub(super) struct KeyHistory {
    pub(super) key: Vec<u8>,
    pub(super) slot: u64,
    /// Every version made, in that order; `None` is a deletion.
    pub(super) log: Vec<(Version, Option<Content>)>,
    /// The highest version that some node still has; `None` if that is a deletion.
    pub(super) best: (Version, Option<Content>),
    /// By side, since the start of its process.
    pub(super) sides: [SideHistory; 2],
}

/// What one node has had of one key since it started.
#[derive(Debug, Default)]
pub(super) struct SideHistory {
    /// What it made before it met the other node, apart from what both have, see [`Alone`].
    pub(super) made_alone: Vec<(Version, Option<Content>)>,
    /// The highest version it has held.
    pub(super) held: Version,
    /// The highest version of which a record has arrived, held or not.
    pub(super) told: Version,
    /// The version whose bytes were compared last.
    pub(super) compared: Version,
    /// Every version it has evicted.
    pub(super) evicted: Vec<Version>,
    /// Every version of the partner that it has refused.
    pub(super) refused: Vec<Version>,
    /// By how much the deadline of a version may be too late: as inexact as the estimate of the
    /// other clock was when the record arrived.
    late_ms: Vec<(Version, i64)>,
    /// The version it held when its sync began.
    to_sync: Option<Version>,
}

/// A record that has arrived whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) which: usize,
    pub(super) version: Version,
    pub(super) tombstone: bool,
    /// Without the value, which the receiver may lack.
    pub(super) is_touch: bool,
}

pub(super) fn key_of(which: usize) -> Vec<u8> {
    format!("k{which}").into_bytes()
}

/// The number of a key made by [`key_of`].
pub(super) fn which_of(key: &[u8]) -> usize {
    key[1..]
        .iter()
        .fold(0, |which, digit| which * 10 + usize::from(digit - b'0'))
}

impl Model {
    /// `store` gives the slots of the keys, which are the same on both nodes.
    pub(super) fn new(plan: Plan, store: &Store) -> Self {
        let keys = (0..plan.keys).map(|which| KeyHistory {
            key: key_of(which),
            slot: store.slot_of(&key_of(which)),
            ..KeyHistory::default()
        });
        Self {
            keys: keys.collect(),
            plan,
            alone: Default::default(),
            flush_watermark: Timestamp::ZERO,
            versions: 0,
            ids: 0,
        }
    }

    /// Whether this is the key of the large value.
    pub(super) fn is_large(&self, which: usize) -> bool {
        self.plan.large && which == 0
    }

    /// Whether a node may lack what it was sent, or what it held.
    pub(super) fn is_short(&self) -> bool {
        self.plan.is_short()
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A command of a client has run: notes the version it made, if it made one. `before` is what
    /// the node held.
    pub(super) fn ran(
        &mut self,
        which: usize,
        node: &SimNode,
        before: Option<Version>,
    ) -> Result<(), String> {
        self.note_evictions(node)?;
        let Some(item) = self.keys[which].entry(&node.store) else {
            return Ok(());
        };
        let version = self.keys[which].version_in(node, item.version());
        // What expiry removes leaves a tombstone of the version that was there, and what eviction
        // removes one of the version that was just made.
        let is_evicted = self.keys[which].sides[node.side].evicted.last() == Some(&version);
        if before == Some(item.version()) || (item.is_tombstone() && is_evicted) {
            return Ok(());
        }
        let content = (!item.is_tombstone()).then(|| Content::of(&item, &node.clocks));
        self.made(which, node, version, content)
    }

    /// A version that was made at a node.
    fn made(
        &mut self,
        which: usize,
        node: &SimNode,
        version: Version,
        content: Option<Content>,
    ) -> Result<(), String> {
        if version.latest() <= node.link_began_at {
            return Err(format!(
                "key {which}: {version:?} is below what the partner had at the hello"
            ));
        }
        let has_met = self.alone[node.side].has_met;
        let key = &mut self.keys[which];
        if key.made_at(node.side, version, has_met).is_some() {
            return Err(format!("key {which}: {version:?} was made twice"));
        }
        let side = &mut key.sides[node.side];
        if version <= side.held.max(side.told) {
            return Err(format!(
                "key {which}: {version:?} was made at a node that knows of {:?}",
                side.held.max(side.told)
            ));
        }
        side.held = version;
        self.versions += 1;
        if !has_met {
            side.made_alone.push((version, content));
            return Ok(());
        }
        key.log.push((version, content));
        if version > key.best.0 {
            key.best = (version, content);
        }
        Ok(())
    }

    /// Notes what a node has evicted. An item may be evicted by the command that stored it.
    pub(super) fn note_evictions(&mut self, node: &SimNode) -> Result<(), String> {
        let has_met = self.alone[node.side].has_met;
        for evicted in node.evictions.take() {
            let key = &mut self.keys[evicted.which];
            let version = key.version_in(node, evicted.version);
            key.sides[node.side].evicted.push(version);
            if key.made_at(node.side, version, has_met).is_none() {
                self.made(evicted.which, node, version, Some(evicted.content))?;
            }
            let held = &mut self.keys[evicted.which].sides[node.side].held;
            *held = version.max(*held);
        }
        Ok(())
    }

    /// A record of a key begins to arrive, whose deadline the receiver may set too late by that
    /// much, in addition to what the sender had. `whole`: it also ends with this frame.
    pub(super) fn record_begins(
        &mut self,
        to: &SimNode,
        (which, version): (usize, Version),
        late_ms: i64,
        whole: bool,
    ) {
        let key = &mut self.keys[which];
        let before_ms = key.sides[1 - to.side].late_ms(version);
        let late_ms = late_ms + before_ms.unwrap_or(0);
        let is_there = key
            .entry(&to.store)
            .is_some_and(|item| item.version() == version && !item.is_tombstone());
        let side = &mut key.sides[to.side];
        let known_ms = side.late_ms(version);
        let most_ms = match is_there {
            // Of two deadlines of one version the earlier one counts. A value in chunks may not
            // arrive to its end.
            true if whole => known_ms.unwrap_or(0).min(late_ms),
            true => known_ms.unwrap_or(0),
            false => known_ms.map_or(late_ms, |known_ms| known_ms.max(late_ms)),
        };
        side.late_ms.retain(|(known, _)| *known != version);
        side.late_ms.push((version, most_ms));
    }

    /// Records have arrived whole and were handled. `refused`: there was no room for one of them.
    pub(super) fn records_arrived(
        &mut self,
        to: &SimNode,
        arrived: &[Arrived],
        refused: bool,
    ) -> Result<(), String> {
        self.note_evictions(to)?;
        for record in arrived {
            let key = &mut self.keys[record.which];
            let held = key.entry(&to.store).map(|item| item.version());
            let side = &mut key.sides[to.side];
            side.held = held.unwrap_or_default().max(side.held);
            let is_there = held.is_some_and(|held| held >= record.version);
            if record.is_touch && !is_there {
                continue;
            }
            side.told = record.version.max(side.told);
            if refused && !is_there && !record.tombstone {
                side.refused.push(record.version);
            }
        }
        Ok(())
    }

    /// A node's link is up: what it holds now must be on the other node when its sync ends.
    pub(super) fn sync_begins(&mut self, side: usize, store: &Store) {
        for history in &mut self.keys {
            let live = history.entry(store).filter(|item| !item.is_tombstone());
            history.sides[side].to_sync = live.map(|item| item.version());
        }
    }

    /// The end mark of a node's sync has arrived at the other node, which serves from now on.
    pub(super) fn sync_ended(&self, side: usize, other: &Store) -> Result<(), String> {
        for which in 0..self.keys.len() {
            if let Some(held) = self.lacks(side, which, other) {
                return Err(format!(
                    "key {which}: side {side} had {held:?} when its sync began; it is missing"
                ));
            }
        }
        Ok(())
    }

    /// What a node held of a key when its link came up, if the other node must hold that or
    /// something newer, and does not.
    pub(super) fn lacks(&self, side: usize, which: usize, other: &Store) -> Option<Version> {
        let history = &self.keys[which];
        let held = history.sides[side].to_sync?;
        let lives = |content: &Option<Content>| {
            content.is_some_and(|content| content.deadline_ms.is_none())
        };
        let mut log = history.log.iter();
        let stays = held.timestamp >= other.flush_watermark()
            && log.all(|(version, content)| *version < held || lives(content));
        let there = history.entry(other);
        let is_there = there.is_some_and(|item| item.version() >= held);
        (stays && !is_there && !self.is_short()).then_some(held)
    }

    /// A node and all it knew is gone: what must survive is what the other one holds now.
    pub(super) fn crashed(&mut self, side: usize, survivor: &SimNode) {
        let other = 1 - side;
        self.flush_watermark = survivor.store.flush_watermark();
        self.alone[side] = Alone::default();
        let has_met = self.alone[other].has_met;
        for history in &mut self.keys {
            // A version that was only on the lost node never was on the other: its next incarnation
            // may use the same timestamp if its clock is behind the partner's.
            let last = history.sides[other].held;
            history.log.retain(|(version, _)| *version <= last);
            history.sides[side] = SideHistory::default();
            let left = history.entry(&survivor.store);
            let version = left
                .as_ref()
                .map_or(last, |item| history.version_in(survivor, item.version()));
            let lives = left.as_ref().is_some_and(|item| !item.is_tombstone());
            let content = history.made_at(other, version, has_met).flatten();
            history.best = (version, content.filter(|_| lives));
            history.sides[other].told = last;
        }
    }

    /// Notes the flush watermark of a node, which its clients may have raised.
    pub(super) fn note_flush(&mut self, store: &Store) {
        self.flush_watermark = self.flush_watermark.max(store.flush_watermark());
    }

    /// The longest time after which no item is left that expires at all.
    pub(super) fn deadlines_end_ms() -> u64 {
        2 * TTL_MS_MAX
    }
}

impl KeyHistory {
    /// What a node holds of the key.
    pub(super) fn entry(&self, store: &Store) -> Option<Item> {
        store.entry(self.slot)
    }

    /// Whether a version was made, and what it was.
    pub(super) fn made(&self, version: Version) -> Option<Option<Content>> {
        let mut log = self.log.iter().rev();
        let found = log.find(|(made, _)| *made == version);
        found.map(|(_, content)| *content)
    }

    pub(super) fn written(&self, version: Version) -> Option<Content> {
        self.made(version).flatten()
    }

    /// The same of a version at one node, which may not have met the other.
    pub(super) fn made_at(
        &self,
        side: usize,
        version: Version,
        has_met: bool,
    ) -> Option<Option<Content>> {
        if has_met {
            return self.made(version);
        }
        let mut made_alone = self.sides[side].made_alone.iter();
        let found = made_alone.find(|(made, _)| *made == version);
        found.map(|(_, content)| *content)
    }

    /// The version of a node's entry, as it is once the lift that may be under way has ended.
    pub(super) fn version_in(&self, node: &SimNode, version: Version) -> Version {
        node.link.lift().map_or(version, |lift: &Lift| {
            lift.version_at_end(&node.store, self.slot, version)
        })
    }
}

impl SideHistory {
    pub(super) fn late_ms(&self, version: Version) -> Option<i64> {
        let found = self.late_ms.iter().find(|(known, _)| *known == version);
        found.map(|(_, late_ms)| *late_ms)
    }
}
