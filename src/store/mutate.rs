//! Every change of an entry goes through one function, [`Shard::mutate`].
//!
//! It sees the old and the new entry, and updates everything that depends on them: memory account,
//! class totals, expiry buckets, tombstones, dirty keys, digests, the count of what the partner is
//! not known to hold, and the published tail. No other code does. Old entries are put into the
//! context and freed after the lock is released.

use std::sync::atomic::Ordering;

use super::hlc::{Timestamp, Version};
use super::in_place::InPlace;
use super::item::{Item, tick_of};
use super::memory::cost_bytes;
use super::op_context::OpContext;
use super::shard::{EMPTY_TAIL, Place, Shard};
use super::shared::Shared;
use crate::limits;
use crate::rules::{Rule, holds};

const RELAXED: Ordering = Ordering::Relaxed;

/// Why an entry changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A client's command. The change gets a new timestamp.
    Client,
    /// A record of the partner. It has its own version, and the partner holds that.
    Record,
    /// The partner has said what it holds.
    Ack,
    /// The deadline has passed.
    Expiry,
    /// Memory is needed.
    Eviction,
    /// The entry is not needed any more: a confirmed tombstone, or an item below the flush
    /// watermark.
    Reclaim,
    /// This node has met its partner for the first time, see [`super::lift`].
    Lift,
}

/// A slot of the table, and how its key came to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRef {
    pub(crate) slot: u64,
    /// Whether this is not the first slot of the key, because other keys with the same hash hold or
    /// held those before it.
    pub(crate) displaced: bool,
    /// Whether another key's entry is in it and is to be replaced.
    pub(crate) full: bool,
}

impl SlotRef {
    /// The slot of an entry that is in the table.
    pub(crate) fn of(slot: u64, item: &Item) -> Self {
        Self {
            slot,
            displaced: item.is_displaced(),
            full: false,
        }
    }

    /// The slot of a key whose first slot is `home`.
    pub(crate) fn new(place: &Place<'_>, home: u64) -> Self {
        let (&slot, full) = match place {
            Place::Held(slot, _) | Place::Vacant(slot) => (slot, false),
            Place::Full(slot) => (slot, true),
        };
        Self {
            slot,
            displaced: slot != home,
            full,
        }
    }
}

/// What to do with a slot.
pub(crate) enum Change<'k> {
    /// Put this item, which is charged to the account already. A cold one goes to the cold end of
    /// the LRU list, or to the place of the live item it replaces.
    Put { item: Item, cold: bool },
    /// Remove the entry of `key`.
    Remove { key: &'k [u8] },
    /// Change the entry where it is.
    InPlace(InPlace),
}

impl Shard {
    /// Changes one entry and everything that depends on it. Returns the timestamp of the item that
    /// was put or touched, or of the tombstone that was left.
    pub(crate) fn mutate(
        &mut self,
        shared: &Shared,
        context: &mut OpContext,
        at: SlotRef,
        change: Change<'_>,
        cause: Cause,
    ) -> Option<Timestamp> {
        let slot = at.slot;
        if shared.replicated {
            self.unprotected.begin(shared, self.table.live_len());
        }
        // The change itself; `is_news`: the partner must be sent the entry.
        let (timestamp, is_news) = match change {
            Change::InPlace(change) => {
                let touched = self.change_in_place(shared, context, slot, &change);
                (touched, touched.is_some())
            }
            Change::Put { item, cold } => {
                if cause == Cause::Client {
                    item.set_version(Version::written(shared.hybrid_clock.next(context.now)));
                    shared.note_large(context, slot, &item);
                } else if holds(Rule::RecordIsConfirmed) {
                    item.set_confirmed(shared.confirmed_by_record());
                }
                let timestamp = item.timestamp();
                context.written = Some(self.index);
                self.put(shared, context, at, item, cold);
                (Some(timestamp), cause == Cause::Client)
            }
            Change::Remove { .. } if at.full => {
                // The key has no slot for its tombstone, and no entry.
                shared.counters.tombstones_dropped.fetch_add(1, RELAXED);
                (None, false)
            }
            Change::Remove { key } => match self.tombstone_for(shared, context, slot, key, cause) {
                Some(tombstone) => {
                    let timestamp = tombstone.timestamp();
                    self.put(shared, context, at, tombstone, false);
                    (Some(timestamp), true)
                }
                None => {
                    self.take_out(shared, context, slot, cause);
                    (None, cause == Cause::Client)
                }
            },
        };
        // What depends on it.
        if is_news && shared.replicated {
            context.dirty.push(slot);
        }
        if self.table.tombstones_len() > 0 && cause != Cause::Reclaim {
            self.limit_tombstones(shared, context);
        }
        timestamp
    }

    /// The tombstone that a removal leaves, if it needs one. A client's removal always does, with a
    /// new timestamp. Expiry and eviction do if the partner has not confirmed the version, which
    /// the tombstone then has. An eviction leaves none if the partner has confirmed the value and
    /// lacks only a touch: a tombstone of that touch would delete the partner's copy.
    fn tombstone_for(
        &self,
        shared: &Shared,
        context: &OpContext,
        slot: u64,
        key: &[u8],
        cause: Cause,
    ) -> Option<Item> {
        if !shared.replicated {
            return None;
        }
        let version = match cause {
            Cause::Client => Version::written(shared.hybrid_clock.next(context.now)),
            Cause::Expiry | Cause::Eviction => {
                let old = self.table.peek(slot)?;
                let (confirmed, life) = (old.confirmed(), shared.partner_lives.present());
                let stays = cause == Cause::Eviction && confirmed.has_had_deadline(life);
                let rule = match cause {
                    Cause::Expiry => Rule::TombstoneOnExpiry,
                    _ => Rule::TombstoneOnEviction,
                };
                let is_known = stays || confirmed.has_had_version(life);
                if is_known || !holds(rule) || old.is_tombstone() {
                    return None;
                }
                old.version()
            }
            Cause::Record | Cause::Ack | Cause::Reclaim | Cause::Lift => return None,
        };
        let Some(item) = Item::tombstone(key, version) else {
            shared.counters.tombstones_dropped.fetch_add(1, RELAXED);
            return None;
        };
        shared.account.charge(cost_bytes(&item));
        Some(item)
    }

    /// Puts an item into a slot and retires the entry that was in it.
    fn put(
        &mut self,
        shared: &Shared,
        context: &mut OpContext,
        at: SlotRef,
        item: Item,
        cold: bool,
    ) {
        // The new entry's own fields.
        let slot = at.slot;
        let is_live = !item.is_tombstone();
        let tick = tick_of(context.now);
        item.begin_history(tick);
        item.set_promoted(tick);
        if at.displaced {
            item.set_displaced();
            self.displaced += 1;
        }
        if !is_live {
            shared.account.add_tombstone(&item);
        }
        // The table.
        let old = if cold {
            self.insert_cold(shared, slot, item)
        } else {
            self.table.put(slot, item)
        };
        let new = if cold || !is_live {
            self.table.peek(slot)
        } else {
            self.table.hottest()
        };
        // Expiry buckets and totals. An old entry may have queued the slot already.
        if let (Some(new), Some(old)) = (new, &old) {
            new.set_expiry_bucket(old.expiry_bucket());
        }
        if let Some(new) = new.filter(|_| is_live) {
            self.expiry_buckets
                .watch(&self.table, slot, new, context.now);
        }
        let was_live = old.as_ref().is_some_and(|old| !old.is_tombstone());
        shared.account.count_live(was_live, is_live);
        shared.classes.count(old.as_ref(), new);
        self.digests
            .replace(&shared.hasher, slot, old.as_ref(), new);
        self.unprotected.count(shared, old.as_ref(), new);
        match old {
            Some(old) => {
                if at.full {
                    shared.note_eviction(context, slot, &old);
                }
                self.retire(shared, context, old, at.full);
            }
            None if self.table.live_len() == 1 => self.publish_tail(shared),
            None => {}
        }
    }

    /// Puts an item at the cold end, as old as the coldest item there. If it replaces a live item,
    /// it takes that item's place and times.
    fn insert_cold(&mut self, shared: &Shared, slot: u64, item: Item) -> Option<Item> {
        let place = self.table.peek(slot);
        match place.filter(|place| !place.is_tombstone()) {
            Some(place) => item.set_times_of(place),
            None => {
                let tail = shared.tail(self.index);
                if tail != EMPTY_TAIL {
                    item.set_promoted(tail);
                }
            }
        }
        self.table.put_cold(slot, item)
    }

    /// Empties a slot.
    fn take_out(&mut self, shared: &Shared, context: &mut OpContext, slot: u64, cause: Cause) {
        if let Some(old) = self.table.remove(slot) {
            if cause == Cause::Eviction {
                shared.note_eviction(context, slot, &old);
            }
            shared.account.count_live(!old.is_tombstone(), false);
            shared.classes.count(Some(&old), None);
            self.digests.replace(&shared.hasher, slot, Some(&old), None);
            self.unprotected.count(shared, Some(&old), None);
            self.retire(shared, context, old, false);
        }
    }

    /// Updates the accounts for an entry that has left the table, and puts it into the context to
    /// be freed. `yielded`: another key took its slot.
    fn retire(&mut self, shared: &Shared, context: &mut OpContext, old: Item, yielded: bool) {
        if old.is_displaced() {
            self.displaced -= 1;
        }
        if old.is_tombstone() {
            shared.account.remove_tombstone(&old);
        }
        match (yielded, old.is_tombstone()) {
            (false, _) => {}
            (true, false) => shared.counters.count_eviction(&old, context.now),
            (true, true) => _ = shared.counters.tombstones_dropped.fetch_add(1, RELAXED),
        }
        if old.promoted() == shared.tail(self.index) || self.table.live_len() <= 1 {
            self.publish_tail(shared);
        }
        context.retired.push(old);
    }

    /// Moves a live item to the hot end.
    pub(crate) fn promote(&mut self, shared: &Shared, slot: u64, tick: u32) {
        let Some(item) = self.table.promote(slot) else {
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

    /// Drops the oldest tombstones when all together exceed their share of memory, and counts them:
    /// their keys may return from the partner.
    fn limit_tombstones(&mut self, shared: &Shared, context: &mut OpContext) {
        for _ in 0..limits::TOMBSTONES_DROPPED {
            if !shared.account.tombstones_over_limit() {
                return;
            }
            let Some(slot) = self.table.oldest_tombstone() else {
                return;
            };
            shared.counters.tombstones_dropped.fetch_add(1, RELAXED);
            self.take_out(shared, context, slot, Cause::Reclaim);
        }
    }
}
