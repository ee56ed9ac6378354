//! What a client may see: every write ever made, and which of them must have survived.

use std::collections::HashMap;

use crate::store::{Item, Now, Stamp, Store, Version};

/// Keys the clients use; few, so that writes meet.
pub(super) const KEYS: usize = 24;
/// The key of a large value that is touched and written all the time, in histories with one.
pub(super) const LARGE_KEY: usize = 0;
/// Values from this length on are compared once for each time they are written, not touched.
const COMPARED_ONCE_BYTES: usize = 1 << 20;

/// A value: its bytes follow from its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) id: u64,
    pub(super) len: usize,
    /// Simulated time.
    pub(super) deadline_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    keys: [KeyHistory; KEYS],
    contents: u64,
    /// Whether a node may lose what it held.
    evicts: bool,
    /// Whether the history has a large value.
    pub(super) large: bool,
}

#[derive(Debug, Default)]
struct KeyHistory {
    /// Every version ever made; `None` is a deletion.
    log: HashMap<Version, Option<Written>>,
    /// The highest version that some node still knows; `None` if it says that the key is gone.
    best: (Version, Option<Written>),
    /// The highest version each node has held since it started.
    seen: [Version; 2],
    /// The version whose bytes were compared last at each node.
    compared: [Version; 2],
    /// What each node held when its pass began, if anything.
    owed: [Option<Version>; 2],
}

pub(super) fn key(which: usize) -> Vec<u8> {
    format!("session-{which}").into_bytes()
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
    pub(super) fn new(evicts: bool, large: bool) -> Self {
        Self {
            evicts,
            large,
            ..Self::default()
        }
    }

    /// Whether this is the key of the large value.
    pub(super) fn is_large(&self, which: usize) -> bool {
        self.large && which == LARGE_KEY
    }

    /// A node's link is up: what it holds now must be at the other when its pass has ended.
    pub(super) fn pass_begins(&mut self, side: usize, store: &Store) {
        for (which, history) in self.keys.iter_mut().enumerate() {
            let entry = store.entry(store.slot_of(&key(which)));
            let live = entry.filter(|item| !item.is_tombstone());
            history.owed[side] = live.map(|item| item.version());
        }
    }

    /// The end mark of a node's pass is at the other one, which serves its clients from now on.
    pub(super) fn pass_ended(&self, side: usize, other: &Store) -> Result<(), String> {
        for (which, history) in self.keys.iter().enumerate() {
            let Some(owed) = history.owed[side].filter(|owed| owed.stamp >= other.floor()) else {
                continue;
            };
            let lives = |written: &Option<Written>| {
                written.is_some_and(|written| written.deadline_ms.is_none())
            };
            let mut log = history.log.iter();
            let stays = log.all(|(version, written)| *version < owed || lives(written));
            let there = other.entry(other.slot_of(&key(which)));
            let is_there = there.is_some_and(|item| item.version() >= owed);
            if stays && !is_there && !self.evicts {
                return Err(format!(
                    "key {which}: {owed:?} was owed by side {side} and is not there"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn next_content(&mut self, len: usize, deadline_ms: Option<u64>) -> Written {
        self.contents += 1;
        Written {
            id: self.contents,
            len,
            deadline_ms,
        }
    }

    pub(super) fn content(&self, which: usize, version: Version) -> Option<Written> {
        self.keys[which].log.get(&version).copied().flatten()
    }

    /// Whether the model can tell what becomes of a write at a node whose clock is behind: one that
    /// restarted alone. It loses to what its partner holds, for good if that neither expires nor
    /// may be evicted; but where a deletion is confirmed, thus forgotten, nothing is left to lose
    /// to.
    pub(super) fn foresees(&self, which: usize, store: &Store, now: Now) -> bool {
        let (version, content) = self.keys[which].best;
        let highest = version.latest();
        let behind = now.wall_ms <= highest.wall_ms() && store.stamps().highest() < highest;
        let outlives = content.is_some_and(|written| written.deadline_ms.is_none());
        !behind || (outlives && !self.evicts)
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
        let twice = key.log.insert(version, content);
        assert!(twice.is_none(), "key {which}: {version:?} was made twice");
        key.seen[side] = key.seen[side].max(version);
        if version > key.best.0 {
            key.best = (version, content);
        }
    }

    /// A node and all it knew is gone: what must survive is what the other one holds now.
    pub(super) fn crashed(&mut self, side: usize, survivor: &Store) {
        for (which, history) in self.keys.iter_mut().enumerate() {
            let other = 1 - side;
            history.seen[side] = Version::default();
            history.compared[side] = Version::default();
            history.best = match survivor.entry(survivor.slot_of(&key(which))) {
                Some(item) if item.is_tombstone() => (item.version(), None),
                Some(item) => (
                    item.version(),
                    history.log.get(&item.version()).copied().flatten(),
                ),
                None => (history.seen[other], None),
            };
        }
    }

    /// Looks at every key of a node: nothing shows that was never written, with other bytes, or
    /// that this node has already seen replaced.
    pub(super) fn observe(&mut self, side: usize, store: &Store) -> Result<(), String> {
        for which in 0..KEYS {
            let Some(item) = store.entry(store.slot_of(&key(which))) else {
                continue;
            };
            let version = item.version();
            let history = &mut self.keys[which];
            let seen = history.seen[side];
            history.seen[side] = seen.max(version);
            if item.is_tombstone() || version.stamp < store.floor() {
                continue;
            }
            if version < seen && !(self.evicts && version.stamp == seen.stamp) {
                return Err(format!(
                    "key {which} returned: {version:?} on {side} after {seen:?}"
                ));
            }
            let compared = std::mem::replace(&mut history.compared[side], version);
            let is_new = if item.value().len() < COMPARED_ONCE_BYTES {
                compared != version
            } else {
                compared.stamp != version.stamp
            };
            if is_new {
                compare(which, &item, history.log.get(&version).copied().flatten())?;
            }
        }
        Ok(())
    }

    /// How many deletions a store keeps for the partner, but for those that a flush made pointless.
    pub(super) fn tombstones(&self, store: &Store) -> usize {
        let entries = (0..KEYS).filter_map(|which| store.entry(store.slot_of(&key(which))));
        let floor = store.floor();
        entries
            .filter(|item| item.is_tombstone() && item.version().stamp >= floor)
            .count()
    }

    /// After everything has healed: what every client must see on both sides. With `complete` each
    /// key must be there; without, a side may lack it.
    pub(super) fn settled(
        &self,
        stores: [&Store; 2],
        time_ms: u64,
        complete: bool,
    ) -> Result<(), String> {
        let floor = stores[0].floor();
        if floor != stores[1].floor() {
            return Err(format!(
                "flush floors differ: {floor:?} and {:?}",
                stores[1].floor()
            ));
        }
        for (which, history) in self.keys.iter().enumerate() {
            for (side, store) in stores.into_iter().enumerate() {
                let shown = visible(store, which, floor);
                let wanted = match &shown {
                    Some(item) if self.evicts => history.left_by_eviction(item.version()),
                    _ => history.best,
                };
                let alive = wanted.1.filter(|written| {
                    wanted.0.stamp >= floor && written.deadline_ms.is_none_or(|at| at > time_ms)
                });
                let right = match (&shown, alive) {
                    (None, None) => true,
                    (None, Some(_)) => !complete,
                    (Some(item), Some(_)) => item.version() == wanted.0,
                    (Some(item), None) => {
                        item.deadline_ms() != crate::store::NEVER && item.version() == wanted.0
                    }
                };
                if !right {
                    let shown = shown.map(|item| item.version());
                    return Err(format!("key {which} on {side}: {shown:?}, not {wanted:?}"));
                }
            }
        }
        Ok(())
    }
}

impl KeyHistory {
    /// What an eviction leaves where the partner had the value and not the last touch: the value,
    /// with a deadline that is no later.
    fn left_by_eviction(&self, shown: Version) -> (Version, Option<Written>) {
        let never = u64::MAX;
        let deadline_of = |written: Written| written.deadline_ms.unwrap_or(never);
        let (best, content) = self.best;
        let left = self.log.get(&shown).copied().flatten();
        match (left, content) {
            (Some(left), Some(content))
                if shown.stamp == best.stamp && deadline_of(left) <= deadline_of(content) =>
            {
                (shown, Some(left))
            }
            _ => self.best,
        }
    }
}

fn visible(store: &Store, which: usize, floor: Stamp) -> Option<Item> {
    let item = store.entry(store.slot_of(&key(which)))?;
    (!item.is_tombstone() && item.version().stamp >= floor).then_some(item)
}

fn compare(which: usize, item: &Item, written: Option<Written>) -> Result<(), String> {
    let Some(written) = written else {
        return Err(format!(
            "key {which}: {:?} lives, but nobody wrote it",
            item.version()
        ));
    };
    let mut bytes = vec![0; written.len];
    pattern(written.id, &mut bytes);
    if item.value() == bytes {
        Ok(())
    } else {
        Err(format!(
            "key {which}: {:?} has other bytes than were written",
            item.version()
        ))
    }
}
