//! The one door: every change of an entry passes [`Shard::change`].
//!
//! It sees the old and the new entry; memory account, expiry buckets, tombstones, dirty marks and
//! tail ticks hang here and nowhere else. Old entries are handed to the context and freed after the
//! lock is released.

use std::sync::atomic::Ordering;

use super::hlc::{Timestamp, Version};
use super::item::{Item, tick_of};
use super::memory::cost_bytes;
use super::op_context::OpContext;
use super::shard::{EMPTY_TAIL, Place, Shard};
use super::shared::Shared;
use crate::limits;

const RELAXED: Ordering = Ordering::Relaxed;

/// Who changes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A client's command: takes a new timestamp.
    Client,
    /// A record of the partner: brings its version; the partner holds it.
    Record,
    /// The deadline passed.
    Expiry,
    /// Memory is needed.
    Eviction,
    /// Nobody needs the entry: confirmed or overdue tombstones, items under the flush watermark.
    Reclaim,
}

/// A place in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRef {
    pub(crate) slot: u64,
    /// Whether its key's own slot is another one, which some other key holds or held.
    pub(crate) displaced: bool,
    /// Whether it holds another key's entry, which must yield.
    pub(crate) full: bool,
}

impl SlotRef {
    /// The place of an entry that is in the table.
    pub(crate) fn of(slot: u64, item: &Item) -> Self {
        Self {
            slot,
            displaced: item.is_displaced(),
            full: false,
        }
    }

    /// The place of a key whose own slot is `home`.
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

/// What is to become of a slot.
#[derive(Debug)]
pub(crate) enum Change<'k> {
    /// Holds this item, which is charged to the account already. A cold one enters at the cold
    /// end, or keeps the place of the entry it replaces.
    Put { item: Item, cold: bool },
    /// Holds `key` no longer.
    Remove { key: &'k [u8] },
    /// Lives until another deadline, or bears other marks.
    Touch { deadline_ms: u64, item_flags: u8 },
    /// The partner holds the same version; the earlier deadline counts.
    ConfirmEqual { deadline_ms: u64 },
}

impl Shard {
    /// Changes one entry and everything that depends on it. Returns the timestamp of what was put,
    /// touched or left as a tombstone.
    pub(crate) fn change(
        &mut self,
        shared: &Shared,
        context: &mut OpContext,
        at: SlotRef,
        change: Change<'_>,
        cause: Cause,
    ) -> Option<Timestamp> {
        let slot = at.slot;
        let (timestamp, news) = match change {
            Change::Touch {
                deadline_ms,
                item_flags,
            } => {
                let touched = self.touch(shared, context, slot, (deadline_ms, item_flags));
                (touched, true)
            }
            Change::ConfirmEqual { deadline_ms } => {
                self.confirm_equal(context, slot, deadline_ms);
                (None, false)
            }
            Change::Put { item, cold } => {
                if cause == Cause::Client {
                    item.set_version(Version::written(shared.hybrid_clock.next(context.now)));
                } else {
                    item.confirm();
                }
                let timestamp = item.timestamp();
                context.written = Some(self.index);
                self.put(shared, context, at, item, cold);
                (Some(timestamp), cause == Cause::Client)
            }
            Change::Remove { .. } if at.full => {
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
                    self.take_out(shared, context, slot);
                    (None, cause == Cause::Client)
                }
            },
        };
        if news && shared.replicated {
            context.dirty.push(slot);
        }
        if self.tombstones.count > 0 && cause != Cause::Reclaim {
            self.limit_tombstones(shared, context);
        }
        timestamp
    }

    /// Whatever removes a version that the partner has not confirmed leaves a tombstone: a client's
    /// removal with a new timestamp, others with the removed version. An eviction spares the value
    /// that the partner holds, too, if only a longer life is forgotten with it.
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
                let stays = cause == Cause::Eviction && old.is_value_confirmed();
                if stays || old.is_confirmed() || old.is_tombstone() {
                    return None;
                }
                old.version()
            }
            Cause::Record | Cause::Reclaim => return None,
        };
        let Some(item) = Item::tombstone(key, version) else {
            shared.counters.tombstones_dropped.fetch_add(1, RELAXED);
            return None;
        };
        shared.account.charge(cost_bytes(&item));
        Some(item)
    }

    /// Puts an item into a slot, whatever was in it.
    fn put(
        &mut self,
        shared: &Shared,
        context: &mut OpContext,
        at: SlotRef,
        item: Item,
        cold: bool,
    ) {
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
            self.tombstones.enter(&shared.account, slot, &item);
        }
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
        match old {
            Some(old) => self.leave(shared, context, old, at.full),
            None if self.table.live_len() == 1 => self.publish_tail(shared),
            None => {}
        }
    }

    /// Inserts at the cold end; what replaces an entry takes over its place and its times.
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
    fn take_out(&mut self, shared: &Shared, context: &mut OpContext, slot: u64) {
        if let Some(old) = self.table.remove(slot) {
            shared.account.count_live(!old.is_tombstone(), false);
            shared.classes.count(Some(&old), None);
            self.leave(shared, context, old, false);
        }
    }

    /// Takes an entry that is out of the table off the books.
    fn leave(&mut self, shared: &Shared, context: &mut OpContext, old: Item, yielded: bool) {
        if old.is_displaced() {
            self.displaced -= 1;
        }
        if old.is_tombstone() {
            self.tombstones.leave(&shared.account, &old);
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

    /// Changes deadline and marks in place: a touch must not change the CAS, so it takes a second
    /// timestamp.
    fn touch(
        &mut self,
        shared: &Shared,
        context: &OpContext,
        slot: u64,
        (deadline_ms, item_flags): (u64, u8),
    ) -> Option<Timestamp> {
        let item = self.table.peek(slot)?;
        let touched = shared.hybrid_clock.next(context.now);
        let outlives = deadline_ms >= item.deadline_ms() && item_flags == item.item_flags();
        item.set_deadline_ms(deadline_ms);
        item.set_item_flags(item_flags);
        item.set_version(Version {
            touched,
            ..item.version()
        });
        item.unconfirm(outlives);
        self.expiry_buckets
            .watch(&self.table, slot, item, context.now);
        Some(touched)
    }

    fn confirm_equal(&mut self, context: &OpContext, slot: u64, deadline_ms: u64) {
        let Some(item) = self.table.peek(slot) else {
            return;
        };
        item.confirm();
        if deadline_ms < item.deadline_ms() {
            item.set_deadline_ms(deadline_ms);
            self.expiry_buckets
                .watch(&self.table, slot, item, context.now);
        }
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

    /// Beyond their share of memory the oldest tombstones go and are counted: their keys may
    /// return from the partner.
    fn limit_tombstones(&mut self, shared: &Shared, context: &mut OpContext) {
        self.tombstones.sweep(&self.table);
        for _ in 0..limits::TOMBSTONES_DROPPED {
            if !shared.account.tombstones_over_limit() {
                return;
            }
            let Some(slot) = self.tombstones.pop_oldest(&self.table) else {
                return;
            };
            shared.counters.tombstones_dropped.fetch_add(1, RELAXED);
            self.take_out(shared, context, slot);
        }
    }
}
