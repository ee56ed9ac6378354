//! What commands do with the store. Each operation holds one shard lock for its short length.

use std::sync::atomic::Ordering;

use super::hlc::Timestamp;
use super::item::{Item, NEVER, tick_of, ticks, ticks_since};
use super::mutate::{Cause, Change, SlotRef};
use super::observer::ItemSummary;
use super::op_context::OpContext;
use super::pending_item::PendingItem;
use super::shard::{EMPTY_TAIL, Place, Shard};
use super::{Now, Store};
use crate::limits;

/// Why a key was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is not there.
    Absent,
    /// It was there until its deadline.
    Expired,
    /// A flush has killed it.
    Flushed,
}

/// What a command wants done with the entry it was shown.
#[derive(Debug)]
pub enum Action<'s> {
    /// Nothing.
    Keep,
    /// Count as used: a failed `add` promotes.
    Promote,
    /// Hold this item instead.
    Put(PendingItem<'s>),
    /// Be gone; with a partner also when nothing was there.
    Remove,
    /// Count as read.
    Read,
    /// Live until another deadline, in boot-time milliseconds; counts as read.
    Touch(u64),
    /// The same with other marks, counted as read or not.
    Amend {
        /// Boot-time milliseconds.
        deadline_ms: u64,
        /// See [`super::marks`].
        item_flags: u8,
        /// Whether it counts as read.
        is_read: bool,
    },
}

/// What a command found under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookupState {
    Live,
    /// Dead by its deadline or by a flush: it must go.
    Dead,
    Nothing,
}

impl Store {
    /// Shows a live item and counts it as used. `show` runs under the lock of the item's shard.
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
        if let Err(miss) = self.check_life(item, context.now) {
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

    /// Shows the entry of a key, or that there is none, and does what `decide` says, in one hold
    /// of the lock. Returns the timestamp of what was put, touched or left as a tombstone.
    ///
    /// A draft that `decide` owns but does not return is freed under the lock: keep it outside and
    /// take it from there.
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
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let place = shard.locate(hash, key);
        let at = SlotRef::new(&place, hash.slot());
        let shown = match place {
            Place::Held(_, item) => self.check_life(item, context.now).map(|()| item),
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
        let (action, result) = decide(shown);
        let timestamp = self.act(&mut shard, at, found, key, action, context);
        drop(shard);
        self.free_and_evict(context);
        (result, timestamp)
    }

    fn act(
        &self,
        shard: &mut Shard,
        at: SlotRef,
        found: LookupState,
        key: &[u8],
        action: Action<'_>,
        context: &mut OpContext,
    ) -> Option<Timestamp> {
        let change = match (action, found) {
            (Action::Put(draft), _) => Change::Put {
                item: draft.into_item()?,
                cold: false,
            },
            (Action::Remove, LookupState::Live) => Change::Remove { key },
            (Action::Remove, _) if self.shared.replicated => Change::Remove { key },
            (Action::Touch(deadline_ms), LookupState::Live) => {
                let item_flags = shard.peek(at.slot)?.item_flags();
                self.count_use(shard, at.slot, true, context);
                Change::Touch {
                    deadline_ms,
                    item_flags,
                }
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
                Change::Touch {
                    deadline_ms,
                    item_flags,
                }
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
        if found == LookupState::Dead && matches!(change, Change::Put { .. }) {
            shard.peek(at.slot).inspect(|item| {
                self.count_reclaimed(item);
                self.count_death(item);
            });
        }
        shard.change(&self.shared, context, at, change, Cause::Client)
    }

    /// Whether an item of this deadline, stored or touched, is the same as removing what is there.
    /// Between two nodes a removal is one record; alone a node keeps even what is overdue until it
    /// is found, so that it is counted as memcached counts it.
    pub fn puts_as_removal(&self, deadline_ms: u64, now: Now) -> bool {
        self.shared.replicated && deadline_ms <= now.boot_ms
    }

    /// Whether an entry is a live item; else why its key is a miss.
    fn check_life(&self, item: &Item, now: Now) -> Result<(), Miss> {
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

    /// Removes an entry that is dead by its deadline or by a flush: one that was looked for.
    pub(super) fn remove_expired(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        shard.peek(slot).inspect(|item| self.count_death(item));
        self.remove_dead(shard, slot, context);
    }

    /// The same of one that a lookup has found, which memcached counts as a miss only.
    fn remove_dead(&self, shard: &mut Shard, slot: u64, context: &mut OpContext) {
        let Some(item) = shard.peek(slot).cloned() else {
            return;
        };
        let cause = if self.shared.is_flushed(&item) {
            Cause::Reclaim
        } else {
            Cause::Expiry
        };
        let removal = Change::Remove { key: item.key() };
        shard.change(
            &self.shared,
            context,
            SlotRef::of(slot, &item),
            removal,
            cause,
        );
    }

    fn count_death(&self, item: &Item) {
        if !self.shared.is_flushed(item) && !item.is_fetched() {
            let counters = self.shared.counters.class(item.class());
            counters.expired_unfetched.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_reclaimed(&self, item: &Item) {
        let counters = self.shared.counters.class(item.class());
        counters.reclaimed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an entry as used by a client, as a read or (a failed `add`) not.
    fn count_use(&self, shard: &mut Shard, slot: u64, is_read: bool, context: &mut OpContext) {
        let tick = tick_of(context.now);
        let Some(item) = shard.peek(slot) else {
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

    /// A use promotes when the last promotion is older than an eighth of the coldest entry's, at
    /// most a minute: a fixed minute would turn a small busy cache into a queue.
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

    /// Kills everything that is stored now. Later writes survive, however soon they come.
    pub fn flush(&self, context: &mut OpContext) -> Timestamp {
        self.flush_at_ms.store(NEVER, Ordering::Relaxed);
        let flush_watermark = self.shared.hybrid_clock.next(context.now);
        self.shared.raise_flush_watermark(flush_watermark);
        flush_watermark
    }

    /// Kills what was stored before a moment of the past, in milliseconds since 2020.
    pub fn flush_before(&self, wall_ms: u64) -> Option<Timestamp> {
        let flush_watermark = Timestamp::at_wall_ms(wall_ms);
        self.shared
            .raise_flush_watermark(flush_watermark)
            .then_some(flush_watermark)
    }

    /// Registers a flush for later; it replaces one that has not fired.
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
