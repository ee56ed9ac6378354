//! The one door: every change of an entry passes [`Shard::change`].
//!
//! It sees the old and the new entry; memory account, expiry wheel, tombstones, dirty marks and
//! tail ticks hang here and nowhere else. Old entries are handed to the batch and freed after the
//! lock is released.

use std::sync::atomic::Ordering;

use super::batch::Batch;
use super::item::{Item, NEVER, tick_of};
use super::memory::cost_bytes;
use super::shard::{EMPTY_TAIL, Shard};
use super::shared::Shared;
use super::stamp::Version;
use super::wheel::Wheel;

const RELAXED: Ordering = Ordering::Relaxed;

/// Who changes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A client's command: takes a new stamp.
    Client,
    /// A record of the partner: brings its version; the partner holds it.
    Record,
    /// The deadline passed.
    Expiry,
    /// Memory is needed.
    Eviction,
    /// Nobody needs the entry: confirmed or overdue tombstones, items under the flush floor.
    Reclaim,
}

/// A place in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) slot: u64,
    /// Whether its key's own slot is another one, which some other key holds or held.
    pub(crate) displaced: bool,
}

/// What is to become of a slot.
#[derive(Debug)]
pub(crate) enum Change<'k> {
    /// Holds this item, which is charged to the account already.
    Put { item: Item, cold: bool },
    /// Holds `key` no longer.
    Remove { key: &'k [u8] },
    /// Lives until another deadline.
    Touch { deadline_ms: u64 },
}

impl Shard {
    /// Changes one entry and everything that depends on it.
    pub(crate) fn change(
        &mut self,
        shared: &Shared,
        batch: &mut Batch,
        at: At,
        change: Change<'_>,
        cause: Cause,
    ) {
        let slot = at.slot;
        if let Change::Touch { deadline_ms } = change {
            return self.touch(shared, batch, slot, deadline_ms);
        }
        let cold = matches!(change, Change::Put { cold: true, .. });
        let new = self.successor(shared, batch, slot, change, cause);
        let dirty = shared.replicated && (cause == Cause::Client || leaves_news(&new, cause));
        if let Some(item) = &new {
            self.enter(shared, batch, at, item, cold);
        }
        match self.swap(slot, new, cold) {
            Some(old) => self.leave(shared, batch, old),
            None if self.table.len() == 1 => self.publish_tail(shared),
            None => {}
        }
        if dirty {
            batch.dirty.push(slot);
        }
        if cause != Cause::Reclaim {
            self.limit_tombstones(shared, batch);
        }
    }

    /// What the slot holds next. Whatever removes a version that the partner has not confirmed
    /// leaves a tombstone: a client's removal with a new stamp, others with the removed version.
    fn successor(
        &self,
        shared: &Shared,
        batch: &Batch,
        slot: u64,
        change: Change<'_>,
        cause: Cause,
    ) -> Option<Item> {
        match change {
            Change::Put { item, .. } => {
                if cause == Cause::Client {
                    item.set_version(Version::written(shared.stamps.next(batch.now)));
                }
                item.set_confirmed(cause == Cause::Record);
                Some(item)
            }
            Change::Remove { key } if cause == Cause::Client && shared.replicated => {
                let version = Version::written(shared.stamps.next(batch.now));
                charged_tombstone(shared, key, version)
            }
            Change::Remove { key } if matches!(cause, Cause::Expiry | Cause::Eviction) => {
                let old = self.table.peek(&slot)?;
                let needed = shared.replicated && !old.is_confirmed() && !old.is_tombstone();
                needed.then(|| charged_tombstone(shared, key, old.version()))?
            }
            Change::Remove { .. } | Change::Touch { .. } => None,
        }
    }

    /// Prepares an item for its place in the table.
    fn enter(&mut self, shared: &Shared, batch: &Batch, at: At, item: &Item, cold: bool) {
        let tick = tick_of(batch.now);
        let tail = shared.tail(self.index);
        item.set_accessed(tick);
        item.set_promoted(if cold && tail != EMPTY_TAIL {
            tail
        } else {
            tick
        });
        let slot = at.slot;
        let old = self.table.peek(&slot);
        let queued = old.map_or(0, Item::wheel_slot);
        let key_is_new = old.is_none_or(Item::is_tombstone);
        item.set_wheel_slot(queued);
        if at.displaced {
            item.set_displaced();
            self.displaced += 1;
        }
        if item.is_tombstone() {
            self.tombstones += 1;
            self.tombstone_order.push_back(slot);
            shared.account.tombstones.fetch_add(1, RELAXED);
            shared
                .account
                .tombstone_bytes
                .fetch_add(cost_bytes(item), RELAXED);
        } else {
            if key_is_new {
                shared.account.live_items.fetch_add(1, RELAXED);
            }
            self.queue_expiry(batch, slot, item);
        }
    }

    /// Queues an item for its deadline unless it is queued no later already.
    pub(crate) fn queue_expiry(&mut self, batch: &Batch, slot: u64, item: &Item) {
        let deadline_ms = item.deadline_ms();
        if deadline_ms == NEVER {
            return;
        }
        let bucket = Wheel::bucket_of(deadline_ms, batch.now);
        let queued = item.wheel_slot();
        if queued == 0 || queued > bucket {
            self.wheel.queue(bucket, slot);
            item.set_wheel_slot(bucket);
        }
    }

    /// Swaps the slot's entry. The table keeps its node on an overwrite, so the value is swapped
    /// in place.
    fn swap(&mut self, slot: u64, new: Option<Item>, cold: bool) -> Option<(Item, bool)> {
        let Some(new) = new else {
            return self.table.pop(&slot).map(|old| (old, true));
        };
        let new_is_live = !new.is_tombstone();
        let old = match self.table.get_mut(&slot) {
            Some(place) => Some(std::mem::replace(place, new)),
            None => {
                self.table.push(slot, new);
                None
            }
        };
        if cold {
            self.table.demote(&slot);
        }
        old.map(|old| (old, !new_is_live))
    }

    /// Takes an entry that is out of the table off the books.
    fn leave(&mut self, shared: &Shared, batch: &mut Batch, (old, key_is_gone): (Item, bool)) {
        self.displaced -= usize::from(old.is_displaced());
        if old.is_tombstone() {
            self.tombstones -= 1;
            shared.account.tombstones.fetch_sub(1, RELAXED);
            shared
                .account
                .tombstone_bytes
                .fetch_sub(cost_bytes(&old), RELAXED);
        } else if key_is_gone {
            shared.account.live_items.fetch_sub(1, RELAXED);
        }
        if old.promoted() == shared.tail(self.index) || self.table.len() <= 1 {
            self.publish_tail(shared);
        }
        batch.retired.push(old);
    }

    /// Changes a deadline in place: a touch must not change the CAS, so it takes a second stamp.
    fn touch(&mut self, shared: &Shared, batch: &mut Batch, slot: u64, deadline_ms: u64) {
        let Some(item) = self.table.peek(&slot).cloned() else {
            return;
        };
        let touched = shared.stamps.next(batch.now);
        item.set_deadline_ms(deadline_ms);
        item.set_version(Version {
            touched,
            ..item.version()
        });
        item.set_confirmed(false);
        self.queue_expiry(batch, slot, &item);
        if shared.replicated {
            batch.dirty.push(slot);
        }
    }

    /// Moves an entry to the hot end.
    pub(crate) fn promote(&mut self, shared: &Shared, slot: u64, tick: u32) {
        let Some(item) = self.table.get(&slot) else {
            return;
        };
        let before = item.promoted();
        item.set_promoted(tick);
        if before == shared.tail(self.index) {
            self.publish_tail(shared);
        }
    }

    pub(crate) fn publish_tail(&self, shared: &Shared) {
        shared.publish_tail(self.index, self.tail_tick());
    }

    /// Beyond their share of memory the oldest tombstone goes and is counted: its key may return
    /// from the partner.
    fn limit_tombstones(&mut self, shared: &Shared, batch: &mut Batch) {
        if self.tombstone_order.len() > 2 * self.tombstones + 64 {
            let table = &self.table;
            self.tombstone_order
                .retain(|slot| table.peek(slot).is_some_and(Item::is_tombstone));
        }
        if self.tombstones == 0 || !shared.account.tombstones_over_limit() {
            return;
        }
        while let Some(slot) = self.tombstone_order.pop_front() {
            if let Some(old) = self.table.peek(&slot).filter(|item| item.is_tombstone()) {
                let key = old.clone();
                shared.counters.tombstones_dropped.fetch_add(1, RELAXED);
                let at = At {
                    slot,
                    displaced: key.is_displaced(),
                };
                let removal = Change::Remove { key: key.key() };
                return self.change(shared, batch, at, removal, Cause::Reclaim);
            }
        }
    }
}

/// Whether a removal left something that the partner must be told.
fn leaves_news(new: &Option<Item>, cause: Cause) -> bool {
    matches!(cause, Cause::Expiry | Cause::Eviction) && new.is_some()
}

fn charged_tombstone(shared: &Shared, key: &[u8], version: Version) -> Option<Item> {
    let item = Item::tombstone(key, version)?;
    shared.account.charge(cost_bytes(&item));
    Some(item)
}
