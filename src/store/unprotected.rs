//! Counts the items that the partner is not known to hold, and tells how old the oldest of them is.
//!
//! Each shard counts its own, under its lock, wherever an entry changes. When another life of the
//! partner begins, all live items of a shard count, which its next change or the next look at it
//! finds out.
//!
//! **The age** is known without a look at the items. A shard has two generations of them, of which
//! the *older* ones are from up to a *boundary* in time. Once the last of these is confirmed or
//! gone, the boundary becomes the *floor*, for no item that is left is as old, and those that are
//! left become the older ones. An item is as old as its last write or touch, or as the partner's
//! present life, whichever is later.

use super::confirmed::PartnerLife;
use super::hlc::Timestamp;
use super::item::Item;
use super::shard::Shard;
use super::shared::Shared;
use super::{Now, Store};

/// What this node holds and the partner is not known to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnprotectedItems {
    /// How many items, with expired ones that were not removed yet.
    pub items: u64,
    /// Milliseconds since the oldest of them was last written or touched, or since the first link
    /// to the partner's present process if that is later; 0 if there is none. Never too low. Too
    /// high by what it took the partner to confirm the items from before, where it was always
    /// behind.
    pub oldest_age_ms: u64,
}

/// Those of one shard.
#[derive(Debug, Default)]
pub(crate) struct Unprotected {
    life: PartnerLife,
    /// Those since `boundary` or before.
    older: u32,
    /// Those since later.
    younger: u32,
    /// When that life became known.
    began: Timestamp,
    /// Nothing counts since before.
    floor: Timestamp,
    boundary: Timestamp,
}

impl Unprotected {
    /// Called before each change of the shard, which has so many live items.
    pub(super) fn begin(&mut self, shared: &Shared, live_items: usize) {
        let life = shared.partner_lives.present();
        if life == self.life {
            return;
        }
        let began = shared.partner_lives.began();
        *self = Self {
            life,
            older: u32::try_from(live_items).unwrap_or(u32::MAX),
            younger: 0,
            began,
            floor: began,
            boundary: shared.hybrid_clock.ceiling(),
        };
    }

    /// Counts the change of a slot.
    pub(super) fn count(&mut self, shared: &Shared, old: Option<&Item>, new: Option<&Item>) {
        if !shared.replicated {
            return;
        }
        if let Some(since) = old.and_then(|old| self.since(old)) {
            self.leave(since, shared);
        }
        if let Some(since) = new.and_then(|new| self.since(new)) {
            self.enter(since);
        }
    }

    /// Counts a change that is made to an item in its slot.
    pub(super) fn count_in_place(&mut self, shared: &Shared, item: &Item, change: impl FnOnce()) {
        self.count(shared, Some(item), None);
        change();
        self.count(shared, None, Some(item));
    }

    /// Since when an item counts; `None` if it does not.
    fn since(&self, item: &Item) -> Option<Timestamp> {
        let counts = !item.is_tombstone() && !item.confirmed().is_held(self.life);
        counts.then(|| item.version().latest().max(self.began))
    }

    fn enter(&mut self, since: Timestamp) {
        if self.older == 0 {
            (self.older, self.floor, self.boundary) = (1, since, since);
        } else if since <= self.boundary {
            self.older += 1;
            self.floor = self.floor.min(since);
        } else {
            self.younger += 1;
        }
    }

    fn leave(&mut self, since: Timestamp, shared: &Shared) {
        if since > self.boundary {
            self.younger = self.younger.saturating_sub(1);
            return;
        }
        self.older = self.older.saturating_sub(1);
        if self.older == 0 && self.younger > 0 {
            (self.older, self.younger) = (self.younger, 0);
            self.floor = self.boundary;
            self.boundary = shared.hybrid_clock.ceiling();
        }
    }
}

impl Shard {
    /// How many items of the shard count, and since when the oldest does at the earliest.
    fn unprotected(&self, shared: &Shared) -> (u64, Timestamp) {
        let counted = &self.unprotected;
        if counted.life == shared.partner_lives.present() {
            let items = u64::from(counted.older) + u64::from(counted.younger);
            (items, counted.floor)
        } else {
            (self.table.live_len() as u64, shared.partner_lives.began())
        }
    }
}

impl Store {
    /// What the partner is not known to hold; nothing on a node without one. It locks each shard
    /// for a moment.
    pub fn unprotected_items(&self, now: Now) -> UnprotectedItems {
        if !self.shared.replicated {
            return UnprotectedItems::default();
        }
        let clock = self.shared.hybrid_clock.reading(now);
        let (mut items, mut oldest) = (0, clock);
        for shard in &self.shards {
            let (counted, since) = shard.lock().unprotected(&self.shared);
            if counted > 0 {
                items += counted;
                oldest = oldest.min(since);
            }
        }
        UnprotectedItems {
            items,
            oldest_age_ms: clock.wall_ms() - oldest.wall_ms(),
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Shard {
    /// Checks the count against the items of the shard.
    pub(super) fn audit_unprotected(&self, shared: &Shared) -> Result<(), String> {
        let counted = &self.unprotected;
        let is_known = counted.life == shared.partner_lives.present();
        if !shared.replicated || !is_known {
            return Ok(());
        }
        let items = self.table.entries().map(|(_, item)| item);
        let since: Vec<_> = items.filter_map(|item| counted.since(item)).collect();
        let (items, floor) = self.unprotected(shared);
        let older = since.iter().filter(|&&since| since <= counted.boundary);
        let is_right = items == since.len() as u64
            && counted.older as usize == older.count()
            && since.iter().all(|&since| since >= floor);
        if is_right {
            return Ok(());
        }
        Err(format!("{counted:?} for the unprotected items {since:?}"))
    }
}

#[cfg(test)]
impl Store {
    /// Checks the count of every shard against its items.
    pub(crate) fn audit_unprotected(&self) -> Result<(), String> {
        let mut shards = self.shards.iter();
        shards.try_for_each(|shard| shard.lock().audit_unprotected(&self.shared))
    }
}
