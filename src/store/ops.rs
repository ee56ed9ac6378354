//! The operations that commands use: read, update, flush. Each holds one shard lock, for a short
//! time.

use std::sync::atomic::Ordering;

use super::hlc::Timestamp;
use super::in_place::InPlace;
use super::item::{Item, NEVER, tick_of, ticks, ticks_since};
use super::lookup::{LookupState, Miss};
use super::mutate::{Cause, Change, SlotRef};
use super::observer::ItemSummary;
use super::op_context::OpContext;
use super::pending_item::PendingItem;
use super::shard::{EMPTY_TAIL, Place, Shard};
use super::{Now, Store};
use crate::limits;

/// What a command does with the entry of its key.
#[derive(Debug)]
pub enum Action<'s> {
    /// Nothing.
    Keep,
    /// Counts it as used without a read: a failed `add` promotes.
    Promote,
    /// Puts this item in its place.
    Put(PendingItem<'s>),
    /// Removes it. With a partner a tombstone is left even if there was no entry.
    Remove,
    /// Counts it as read.
    Read,
    /// Sets another deadline, in boot-time milliseconds, and counts it as read.
    Touch(u64),
    /// Sets another deadline and other item flags.
    Amend {
        /// Boot-time milliseconds.
        deadline_ms: u64,
        /// See [`super::item_flags`].
        item_flags: u8,
        /// Whether it counts as read.
        is_read: bool,
    },
}

impl Store {
    /// Calls `show` with the live item of a key, and counts the item as read. `show` runs under the
    /// lock of the shard.
    pub fn read<R>(
        &self,
        key: &[u8],
        context: &mut OpContext,
        show: impl FnOnce(&Item) -> R,
    ) -> Result<R, Miss> {
        if context.observer.is_none() {
            return self.read_unobserved(key, context, show);
        }
        let mut summary = ItemSummary::default();
        let read = self.read_unobserved(key, context, |item| {
            summary = ItemSummary::of(item);
            show(item)
        });
        context.report_lookup(key, read.as_ref().map(|_| summary).map_err(|miss| *miss));
        read
    }

    fn read_unobserved<R>(
        &self,
        key: &[u8],
        context: &mut OpContext,
        show: impl FnOnce(&Item) -> R,
    ) -> Result<R, Miss> {
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let (slot, item) = shard.find(hash, key).ok_or(Miss::Absent)?;
        if let Err(miss) = self.check_live(item, context.now) {
            if miss != Miss::Absent {
                self.remove_dead(&mut shard, slot, context);
                drop(shard);
                self.shared.free_retired(context);
            }
            return Err(miss);
        }
        context.found_class = item.class();
        let tick = tick_of(context.now);
        item.mark_fetched(tick);
        let shown = show(item);
        if self.promotion_is_due(shard.index, item, tick) {
            self.promote_in(&mut shard, slot, tick, context);
        }
        Ok(shown)
    }

    /// Calls `decide` with the live item of a key, or why there is none, and carries out the action
    /// it returns, all under one lock. Returns the timestamp of the item that was put or touched,
    /// or of the tombstone that was left.
    ///
    /// A pending item that `decide` owns but does not return would be freed under the lock: keep it
    /// outside and take it from there.
    pub fn update<'s, R>(
        &'s self,
        key: &[u8],
        context: &mut OpContext,
        decide: impl FnOnce(Result<&Item, Miss>) -> (Action<'s>, R),
    ) -> (R, Option<Timestamp>) {
        if context.observer.is_none() {
            return self.update_unobserved(key, context, decide);
        }
        let mut found = Err(Miss::Absent);
        let updated = self.update_unobserved(key, context, |entry| {
            found = entry.map(ItemSummary::of);
            decide(entry)
        });
        context.report_lookup(key, found);
        updated
    }

    fn update_unobserved<'s, R>(
        &'s self,
        key: &[u8],
        context: &mut OpContext,
        decide: impl FnOnce(Result<&Item, Miss>) -> (Action<'s>, R),
    ) -> (R, Option<Timestamp>) {
        // Look the key up.
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let place = shard.locate(hash, key);
        let at = SlotRef::new(&place, hash.slot());
        let shown = match place {
            Place::Held(_, item) => self.check_live(item, context.now).map(|()| item),
            Place::Vacant(_) | Place::Full(_) => Err(Miss::Absent),
        };
        let found = match shown {
            Ok(item) => {
                context.found_class = item.class();
                LookupState::Live
            }
            Err(Miss::Absent) => LookupState::Nothing,
            Err(Miss::Expired | Miss::Flushed) => LookupState::Dead,
        };
        // Decide and act.
        let (action, result) = decide(shown);
        let timestamp = self.carry_out(&mut shard, at, found, key, action, context);
        drop(shard);
        // Without the lock: free what was replaced, evict what is over the budget.
        self.free_and_evict(context);
        (result, timestamp)
    }

    fn carry_out(
        &self,
        shard: &mut Shard,
        at: SlotRef,
        found: LookupState,
        key: &[u8],
        action: Action<'_>,
        context: &mut OpContext,
    ) -> Option<Timestamp> {
        // The change that the action means for what was found.
        let change = match (action, found) {
            (Action::Put(item), _) => Change::Put {
                item: item.into_item()?,
                cold: false,
            },
            (Action::Remove, LookupState::Live) => Change::Remove { key },
            (Action::Remove, _) if self.shared.replicated => Change::Remove { key },
            (Action::Touch(deadline_ms), LookupState::Live) => {
                let item_flags = shard.table.peek(at.slot)?.item_flags();
                self.count_use(shard, at.slot, true, context);
                Change::InPlace(InPlace::Touch {
                    deadline_ms,
                    item_flags,
                })
            }
            (
                Action::Amend {
                    deadline_ms,
                    item_flags,
                    is_read,
                },
                LookupState::Live,
            ) => {
                if is_read {
                    self.count_use(shard, at.slot, true, context);
                }
                Change::InPlace(InPlace::Touch {
                    deadline_ms,
                    item_flags,
                })
            }
            (Action::Promote, LookupState::Live) => {
                self.count_use(shard, at.slot, false, context);
                return None;
            }
            (Action::Read, LookupState::Live) => {
                self.count_use(shard, at.slot, true, context);
                return None;
            }
            (_, LookupState::Dead) => {
                self.remove_dead(shard, at.slot, context);
                return None;
            }
            (_, LookupState::Live | LookupState::Nothing) => return None,
        };
        // memcached counts an expired item that a set replaces as reclaimed.
        if found == LookupState::Dead && matches!(change, Change::Put { .. }) {
            shard.table.peek(at.slot).inspect(|item| {
                self.count_reclaimed(item);
                self.count_expired_unfetched(item);
            });
        }
        shard.mutate(&self.shared, context, at, change, Cause::Client)
    }

    /// Whether storing an item with this deadline, or touching one, is done as a removal. In a pair
    /// it is if the deadline has passed, because a removal is the smaller record. A standalone node
    /// keeps the expired item until it is looked up, so that statistics count it as memcached does.
    pub fn puts_as_removal(&self, deadline_ms: u64, now: Now) -> bool {
        self.shared.replicated && deadline_ms <= now.boot_ms
    }

    /// Checks that an entry is a live item.
    fn check_live(&self, item: &Item, now: Now) -> Result<(), Miss> {
        if item.is_tombstone() {
            Err(Miss::Absent)
        } else if self.shared.is_flushed(item) {
            Err(Miss::Flushed)
        } else if item.is_expired(now) {
            Err(Miss::Expired)
        } else {
            Ok(())
        }
    }

    /// Removes an expired or flushed item that housekeeping or an eviction has found, and counts it
    /// as expired if no client had read it.
    pub(super) fn remove_expired(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        if let Some(item) = shard.table.peek(slot) {
            self.count_expired_unfetched(item);
        }
        self.remove_dead(shard, slot, context);
    }

    /// Removes an expired or flushed item that a lookup has found. As in memcached, the lookup
    /// counts a miss and the item is not counted as expired.
    fn remove_dead(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        let Some(item) = shard.table.peek(slot).cloned() else {
            return;
        };
        let cause = if self.shared.is_flushed(&item) {
            Cause::Reclaim
        } else {
            Cause::Expiry
        };
        let removal = Change::Remove { key: item.key() };
        let at = SlotRef::of(slot, &item);
        shard.mutate(&self.shared, context, at, removal, cause);
    }

    fn count_expired_unfetched(&self, item: &Item) {
        if !self.shared.is_flushed(item) && !item.is_fetched() {
            let counters = self.shared.counters.class(item.class());
            counters.expired_unfetched.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_reclaimed(&self, item: &Item) {
        let counters = self.shared.counters.class(item.class());
        counters.reclaimed.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a client used an item: read it, or failed to `add` it.
    fn count_use(&self, shard: &mut Shard, slot: u64, is_read: bool, context: &mut OpContext) {
        let tick = tick_of(context.now);
        let Some(item) = shard.table.peek(slot) else {
            return;
        };
        if is_read {
            item.mark_fetched(tick);
        } else {
            item.set_accessed(tick);
        }
        if self.promotion_is_due(shard.index, item, tick) {
            self.promote_in(shard, slot, tick, context);
        }
    }

    /// Whether a use promotes the item: if its last promotion is longer ago than an eighth of the
    /// coldest item's, but at most a minute. With a fixed minute a small busy cache, whose items
    /// live for less, would evict in the order of their writing.
    fn promotion_is_due(&self, shard: usize, item: &Item, tick: u32) -> bool {
        let age = ticks_since(tick, item.promoted());
        if age == 0 {
            return false;
        }
        let tail_age = match self.shared.tail(shard) {
            EMPTY_TAIL => 0,
            tail => ticks_since(tick, tail),
        };
        age > (tail_age / 8).min(ticks(limits::PROMOTION_MS_MAX))
    }

    fn promote_in(&self, shard: &mut Shard, slot: u64, tick: u32, context: &mut OpContext) {
        shard.promote(&self.shared, slot, tick);
        if self.shared.replicated {
            context.promoted.push(slot);
        }
    }

    /// Invalidates everything stored until now. Later writes are not affected, even in the same
    /// millisecond.
    pub fn flush(&self, context: &mut OpContext) -> Timestamp {
        self.flush_at_ms.store(NEVER, Ordering::Relaxed);
        let clock = &self.shared.hybrid_clock;
        loop {
            let flush_watermark = clock.next(context.now);
            self.shared.raise_flush_watermark(flush_watermark);
            // A lift that began between the two lines may have ended, too.
            if clock.is_above_lift(flush_watermark) {
                return flush_watermark;
            }
        }
    }

    /// Invalidates everything stored before a moment of the past, in milliseconds since 2020.
    /// False if an earlier flush did so already.
    pub fn flush_before(&self, wall_ms: u64) -> bool {
        self.raise_flush_watermark(Timestamp::at_wall_ms(wall_ms))
    }

    /// Schedules a flush; it replaces one that has not fired.
    pub fn flush_later(&self, at_ms: u64) {
        self.flush_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Fires a delayed flush whose time has come. Called at the start of every turn.
    pub fn flush_if_due(&self, now: Now) -> Option<Timestamp> {
        let at_ms = self.flush_at_ms.load(Ordering::Relaxed);
        if at_ms > now.boot_ms {
            return None;
        }
        let fired =
            self.flush_at_ms
                .compare_exchange(at_ms, NEVER, Ordering::Relaxed, Ordering::Relaxed);
        fired.ok().map(|_| self.flush(&mut OpContext::at(now)))
    }
}
