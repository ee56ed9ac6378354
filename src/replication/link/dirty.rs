//! Dirty keys: slots that clients changed and that are not on the wire yet.

use std::collections::{HashSet, VecDeque};

use crate::limits::{DIRTY_KEY_BYTES_MAX, DIRTY_KEYS_SHARE, sizes};

/// A set of slots in the order of their first insertion, each once.
///
/// The nth slot that was ever inserted has the *position* n. A slot that is inserted again while it
/// waits keeps its position, and its record is read later than both insertions.
#[derive(Debug)]
pub(super) struct DirtyKeys {
    order: VecDeque<u64>,
    members: HashSet<u64>,
    keys_max: usize,
    /// Slots that have left the set; the position of the last of them.
    popped: u64,
}

/// What [`DirtyKeys::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// The slot has a new position at the end.
    New,
    /// The slot is in the set already and keeps its position.
    Known,
    /// The set is full.
    Full,
}

impl DirtyKeys {
    /// An empty set for a node with this `-m`: the set takes no more than its share of that.
    pub(super) fn of_memory(limit_bytes: u64) -> Self {
        let bytes = limit_bytes / DIRTY_KEYS_SHARE;
        let keys = usize::try_from(bytes).unwrap_or(usize::MAX) / DIRTY_KEY_BYTES_MAX;
        Self::of_keys(keys.clamp(sizes().dirty_keys_min, sizes().dirty_keys_max))
    }

    fn of_keys(keys_max: usize) -> Self {
        Self {
            order: VecDeque::new(),
            members: HashSet::new(),
            keys_max,
            popped: 0,
        }
    }

    /// Whether so many more fit.
    pub(super) fn has_room(&self, keys: usize) -> bool {
        self.len() + keys <= self.keys_max
    }

    /// Adds a slot at the end unless it is in the set.
    pub(super) fn insert(&mut self, slot: u64) -> Inserted {
        if self.members.len() >= self.keys_max {
            return match self.members.contains(&slot) {
                true => Inserted::Known,
                false => Inserted::Full,
            };
        }
        if !self.members.insert(slot) {
            return Inserted::Known;
        }
        self.order.push_back(slot);
        Inserted::New
    }

    /// The position of the slot inserted last.
    pub(super) fn inserted(&self) -> u64 {
        self.popped + self.order.len() as u64
    }

    /// The position of the slot popped last.
    pub(super) fn popped(&self) -> u64 {
        self.popped
    }

    /// Whether every slot of the set is in the queue, by their numbers.
    pub(super) fn is_consistent(&self) -> bool {
        self.order.len() == self.members.len()
    }

    /// Forgets that a slot is to be sent.
    #[cfg(test)]
    pub(super) fn lose_order(&mut self) {
        self.order.pop_front();
    }

    /// Whether a slot is in the set.
    pub(super) fn contains(&self, slot: u64) -> bool {
        self.members.contains(&slot)
    }

    /// The oldest slot.
    pub(super) fn front(&self) -> Option<u64> {
        self.order.front().copied()
    }

    /// Removes the oldest slot.
    pub(super) fn pop(&mut self) {
        if let Some(slot) = self.order.pop_front() {
            self.members.remove(&slot);
            self.popped += 1;
        }
        if self.order.is_empty() && self.order.capacity() > self.keys_max / 16 {
            // A burst is over: free its memory. Smaller sets keep theirs for the next keys.
            self.order = VecDeque::new();
            self.members = HashSet::new();
        }
    }

    /// Bytes of memory it takes, by the most keys it held since it was last empty.
    pub(super) fn held_bytes(&self) -> usize {
        self.order.capacity().min(self.keys_max) * DIRTY_KEY_BYTES_MAX
    }

    #[cfg(test)]
    pub(super) fn keys_max(&self) -> usize {
        self.keys_max
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl Default for DirtyKeys {
    /// The set of a link that is down, which stays empty.
    fn default() -> Self {
        Self::of_keys(sizes().dirty_keys_min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{DIRTY_KEYS_MAX, DIRTY_KEYS_MIN};

    #[test]
    fn a_key_written_again_keeps_its_place() {
        let mut dirty = DirtyKeys::default();
        for slot in [3, 1, 3, 2, 1] {
            assert_ne!(dirty.insert(slot), Inserted::Full);
        }
        assert_eq!(dirty.inserted(), 3);
        let mut order = Vec::new();
        while let Some(slot) = dirty.front() {
            dirty.pop();
            order.push(slot);
        }
        assert_eq!(order, [3, 1, 2]);
        assert!(dirty.is_empty());
        assert_eq!((dirty.popped(), dirty.inserted()), (3, 3));
        assert_eq!(dirty.insert(3), Inserted::New);
        // It has left the set, so it has a new position.
        assert_eq!(dirty.inserted(), 4);
    }

    #[test]
    fn a_full_set_takes_only_the_keys_it_holds() {
        let mut dirty = DirtyKeys::of_keys(3000);
        for slot in 0..3000 {
            assert_eq!(dirty.has_room(1000), slot <= 2000);
            assert_eq!(dirty.insert(slot), Inserted::New);
        }
        assert_eq!(dirty.insert(7), Inserted::Known);
        assert_eq!(dirty.insert(u64::MAX), Inserted::Full);
        assert_eq!(dirty.len(), 3000);
        dirty.pop();
        assert_eq!(dirty.insert(u64::MAX), Inserted::New);
    }

    /// The set held up to a million keys whatever `-m` was: at `-m 64`, after three million small
    /// sets and with a slow partner, the process took 98 MiB.
    #[test]
    fn a_full_set_takes_no_more_than_its_share_of_memory() {
        for limit_mib in [1, 8, 64, 100, 256, 1024, 65_536] {
            let limit_bytes = limit_mib << 20;
            let mut dirty = DirtyKeys::of_memory(limit_bytes);
            let mut most_bytes = 0;
            let mut slot = 0;
            while dirty.insert(slot) == Inserted::New {
                slot += 1;
                // An index has 8 places for 7 keys, and a byte beside each.
                let index_bytes = dirty.members.capacity() * 8 / 7 * 9;
                most_bytes = most_bytes.max(index_bytes + dirty.order.capacity() * 8);
            }
            let least_bytes = (DIRTY_KEYS_MIN * DIRTY_KEY_BYTES_MAX) as u64;
            let share_bytes = (limit_bytes / DIRTY_KEYS_SHARE).max(least_bytes);
            let fits = most_bytes as u64 <= share_bytes;
            assert!(fits, "{most_bytes} at {limit_mib} MiB");
            assert!(dirty.len() >= DIRTY_KEYS_MIN);
        }
        let large = DirtyKeys::of_memory(1 << 40);
        assert_eq!(large.keys_max, DIRTY_KEYS_MAX);
    }
}
