//! Every write that clients made, and which of them must survive.

use std::collections::{HashMap, HashSet};

use super::alone::{Alone, MadeAlone};
use super::client::LARGE_KEY;
use super::evictions::Evictions;
use super::plan::Plan;
use crate::store::{Item, Lift, Store, Timestamp, Version};

/// A state of a key that a client made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The bytes follow from it.
    pub(super) id: u64,
    pub(super) len: usize,
    pub(super) client_flags: u32,
    pub(super) cas: Option<u64>,
    pub(super) item_flags: u8,
    /// Simulated time.
    pub(super) deadline_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) plan: Plan,
    pub(super) keys: Vec<KeyHistory>,
    pub(super) alone: [Alone; 2],
    ids: u64,
}

#[derive(Debug, Default)]
pub(super) struct KeyHistory {
    pub(super) key: Vec<u8>,
    pub(super) slot: u64,
    /// Every version ever made; `None` is a deletion.
    pub(super) log: HashMap<Version, Option<Written>>,
    /// What each node made before it met the other in its present life.
    pub(super) made_alone: [MadeAlone; 2],
    /// The highest version that some node still has; `None` if that is a deletion.
    pub(super) best: (Version, Option<Written>),
    /// The highest version each node has held since it started.
    pub(super) seen: [Version; 2],
    /// The flush watermark of each node, which is newer than all that it invalidates.
    pub(super) flushed_below: [Timestamp; 2],
    /// The version whose bytes were compared last at each node.
    pub(super) compared: [Version; 2],
    /// Every version that each node has evicted since it started.
    pub(super) evicted: [HashSet<Version>; 2],
    /// The version each node took for confirmed when its partner crashed.
    pub(super) confirmed_before_crash: [Version; 2],
    /// By how much the deadline of a version may be too late at each node: as inexact as the
    /// estimate of the other clock was when the record arrived.
    pub(super) late_ms: [HashMap<Version, u64>; 2],
    /// The version each node held when its full sync began.
    to_sync: [Option<Version>; 2],
}

/// The bytes of a value.
pub(super) fn pattern(id: u64, value: &mut [u8]) {
    for (index, chunk) in value.chunks_mut(8).enumerate() {
        let word = (id << 32 | index as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

impl Model {
    /// `store` gives the slots of the keys, which are the same on both nodes.
    pub(super) fn new(plan: Plan, store: &Store) -> Self {
        let keys = (0..plan.keys).map(|which| {
            let key = format!("session-{which}").into_bytes();
            KeyHistory {
                slot: store.slot_of(&key),
                key,
                ..KeyHistory::default()
            }
        });
        Self {
            plan,
            keys: keys.collect(),
            alone: Default::default(),
            ids: 0,
        }
    }

    pub(super) fn key(&self, which: usize) -> &[u8] {
        &self.keys[which].key
    }

    /// Whether this is the key of the large value.
    pub(super) fn is_large(&self, which: usize) -> bool {
        self.plan.large && which == LARGE_KEY
    }

    /// Whether a node may evict what it held.
    pub(super) fn evicts(&self) -> bool {
        self.plan.is_short()
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A client's write or deletion at a node.
    pub(super) fn wrote(
        &mut self,
        side: usize,
        which: usize,
        version: Version,
        content: Option<Written>,
    ) {
        let key = &mut self.keys[which];
        let has_met = self.alone[side].has_met;
        let log = if has_met {
            &mut key.log
        } else {
            &mut key.made_alone[side]
        };
        let twice = log.insert(version, content);
        assert!(twice.is_none(), "key {which}: {version:?} was made twice");
        key.seen[side] = key.seen[side].max(version);
        if has_met && version > key.best.0 {
            key.best = (version, content);
        }
    }

    /// A record of a key arrives, whose deadline the receiver may set too late by that much, in
    /// addition to what the sender had.
    pub(super) fn record_arrives(
        &mut self,
        receiver: &Store,
        to: usize,
        record: (&[u8], Version, u64),
    ) {
        let (key, version, late_ms) = record;
        let Some(history) = self.keys.iter_mut().find(|history| history.key == key) else {
            return;
        };
        let before_ms = history.late_ms[1 - to].get(&version).copied();
        let late_ms = late_ms + before_ms.unwrap_or(0);
        // If the receiver has this version, the record does not make its deadline later.
        let is_there = history
            .entry(receiver)
            .is_some_and(|item| item.version() == version);
        let most_ms = history.late_ms[to].entry(version).or_insert(0);
        if !is_there || self.plan.is_short() {
            *most_ms = late_ms.max(*most_ms);
        }
    }

    /// Notes what a node holds and has evicted. Called whenever that may have changed, so that no
    /// state is missed.
    pub(super) fn note_held(
        &mut self,
        side: usize,
        store: &Store,
        lift: Option<&Lift>,
        evictions: &Evictions,
    ) {
        for (key, version) in evictions.take() {
            let history = self.keys.iter_mut().find(|history| *history.key == *key);
            let history = history.expect("only keys of clients are evicted");
            let version = history.version_in(store, lift, version);
            history.evicted[side].insert(version);
            history.seen[side] = history.seen[side].max(version);
        }
        for history in &mut self.keys {
            history.flushed_below[side] = store.flush_watermark();
            if let Some(item) = history.entry(store) {
                let version = history.version_in(store, lift, item.version());
                history.seen[side] = history.seen[side].max(version);
            }
        }
    }

    /// A node's link is up: what it holds now must be on the other node when its full sync ends.
    pub(super) fn sync_begins(&mut self, side: usize, store: &Store) {
        for history in &mut self.keys {
            let live = history.entry(store).filter(|item| !item.is_tombstone());
            history.to_sync[side] = live.map(|item| item.version());
        }
    }

    /// The end mark of a node's full sync has arrived at the other node, which serves from now on.
    pub(super) fn sync_ended(&self, side: usize, other: &Store) -> Result<(), String> {
        for (which, history) in self.keys.iter().enumerate() {
            let Some(held) =
                history.to_sync[side].filter(|held| held.timestamp >= other.flush_watermark())
            else {
                continue;
            };
            let lives = |written: &Option<Written>| {
                written.is_some_and(|written| written.deadline_ms.is_none())
            };
            let mut log = history.log.iter();
            let stays = log.all(|(version, written)| *version < held || lives(written));
            let there = history.entry(other);
            let is_there = there.is_some_and(|item| item.version() >= held);
            if stays && !is_there && !self.evicts() {
                return Err(format!(
                    "key {which}: side {side} had {held:?} when its full sync began; it is missing"
                ));
            }
        }
        Ok(())
    }

    /// A node and all it knew is gone: what must survive is what the other one holds now.
    pub(super) fn crashed(&mut self, side: usize, survivor: &Store, lift: Option<&Lift>) {
        let other = 1 - side;
        self.alone[side] = Alone::default();
        for history in &mut self.keys {
            // A version that was only on the lost node never was on the other: its next incarnation
            // may use the same timestamp if its clock is behind the partner's.
            let last = history.seen[other];
            history.log.retain(|version, _| *version <= last);
            history.seen[side] = Version::default();
            history.flushed_below[side] = Timestamp::ZERO;
            history.compared[side] = Version::default();
            history.evicted[side].clear();
            history.late_ms[side].clear();
            history.made_alone[side].clear();
            let left = history.entry(survivor);
            let version = left
                .as_ref()
                .map(|item| history.version_in(survivor, lift, item.version()));
            history.best = match (&left, version) {
                (Some(item), Some(version)) if item.is_tombstone() => (version, None),
                (Some(_), Some(version)) => (version, history.written_at(other, version)),
                _ => (history.seen[other], None),
            };
            let confirmed = left.filter(|item| item.is_confirmed() || item.is_value_confirmed());
            history.confirmed_before_crash[other] =
                confirmed.map_or_else(Version::default, |item| item.version());
        }
    }
}

impl KeyHistory {
    /// What a node holds of the key.
    pub(super) fn entry(&self, store: &Store) -> Option<Item> {
        store.entry(self.slot)
    }

    pub(super) fn written(&self, version: Version) -> Option<Written> {
        self.log.get(&version).copied().flatten()
    }
}
