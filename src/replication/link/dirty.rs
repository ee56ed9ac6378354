//! The keys that clients wrote and the wire has not seen yet.

use std::collections::{HashSet, VecDeque};

use crate::limits::DIRTY_KEYS_MAX;

/// A set of slots in the order of their first insertion, each once.
#[derive(Debug, Default)]
pub(super) struct DirtyKeys {
    order: VecDeque<u64>,
    members: HashSet<u64>,
}

impl DirtyKeys {
    /// Adds a slot at the end unless it waits already. False if there is no room for it.
    pub(super) fn insert(&mut self, slot: u64) -> bool {
        if self.members.len() >= DIRTY_KEYS_MAX {
            return self.members.contains(&slot);
        }
        if self.members.insert(slot) {
            self.order.push_back(slot);
        }
        true
    }

    /// Whether a slot waits.
    pub(super) fn contains(&self, slot: u64) -> bool {
        self.members.contains(&slot)
    }

    /// The slot whose turn it is.
    pub(super) fn front(&self) -> Option<u64> {
        self.order.front().copied()
    }

    /// Takes out the slot whose turn it is.
    pub(super) fn pop(&mut self) {
        if let Some(slot) = self.order.pop_front() {
            self.members.remove(&slot);
        }
        if self.order.is_empty() && self.order.capacity() > DIRTY_KEYS_MAX / 16 {
            // A burst is over: give its memory back.
            *self = Self::default();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_written_often_waits_once_and_keeps_its_place() {
        let mut dirty = DirtyKeys::default();
        for slot in [3, 1, 3, 2, 1] {
            assert!(dirty.insert(slot));
        }
        let mut order = Vec::new();
        while let Some(slot) = dirty.front() {
            dirty.pop();
            order.push(slot);
        }
        assert_eq!(order, [3, 1, 2]);
        assert!(dirty.is_empty());
    }

    #[test]
    fn a_full_set_takes_only_what_it_holds() {
        let mut dirty = DirtyKeys::default();
        for slot in 0..DIRTY_KEYS_MAX as u64 {
            assert!(dirty.insert(slot));
        }
        assert!(dirty.insert(7));
        assert!(!dirty.insert(u64::MAX));
        assert_eq!(dirty.len(), DIRTY_KEYS_MAX);
        dirty.pop();
        assert!(dirty.insert(u64::MAX));
    }
}
