//! What commands do with the store. Each operation holds one shard lock for its short length.

use std::sync::atomic::Ordering;

use super::batch::Batch;
use super::door::{At, Cause, Change};
use super::draft::Draft;
use super::hash::KeyHash;
use super::item::{Item, NEVER, tick_of, ticks};
use super::shard::{EMPTY_TAIL, Shard};
use super::stamp::Stamp;
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
    Put(Draft<'s>),
    /// Be gone; with a partner also when nothing was there.
    Remove,
    /// Live until another deadline, in boot-time milliseconds.
    Touch(u64),
}

impl Store {
    /// Shows a live item and counts it as used.
    pub fn read<R>(
        &self,
        key: &[u8],
        batch: &mut Batch,
        show: impl FnOnce(&Item) -> R,
    ) -> Result<R, Miss> {
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let (slot, item) = match self.look(&shard, hash, key, batch.now) {
            Ok(found) => found,
            Err((miss, dead)) => {
                if let Some(slot) = dead {
                    self.bury(&mut shard, slot, batch);
                    drop(shard);
                    self.shared.free_retired(batch);
                }
                return Err(miss);
            }
        };
        let tick = tick_of(batch.now);
        item.mark_fetched(tick);
        let shown = show(item);
        if self.promotion_is_due(shard.index, item, tick) {
            self.promote_in(&mut shard, slot, tick, batch);
        }
        Ok(shown)
    }

    /// Shows the entry of a key, or that there is none, and does what `decide` says, in one hold
    /// of the lock. Returns the stamp of what was put or removed.
    pub fn update<'s, R>(
        &'s self,
        key: &[u8],
        batch: &mut Batch,
        decide: impl FnOnce(Result<&Item, Miss>) -> (Action<'s>, R),
    ) -> (R, Option<Stamp>) {
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let found = self.look(&shard, hash, key, batch.now);
        let slot = found.as_ref().ok().map(|(slot, _)| *slot);
        let dead = found.as_ref().err().and_then(|(_, dead)| *dead);
        let (action, result) = decide(found.map(|(_, item)| item).map_err(|(miss, _)| miss));
        if let Some(slot) = dead {
            self.bury(&mut shard, slot, batch);
        }
        let stamp = self.act(&mut shard, (hash, slot), key, action, batch);
        drop(shard);
        self.settle(batch);
        (result, stamp)
    }

    fn act(
        &self,
        shard: &mut Shard,
        (hash, live_slot): (KeyHash, Option<u64>),
        key: &[u8],
        action: Action<'_>,
        batch: &mut Batch,
    ) -> Option<Stamp> {
        let change = match action {
            Action::Keep => return None,
            Action::Promote => {
                self.promote_in(shard, live_slot?, tick_of(batch.now), batch);
                return None;
            }
            Action::Touch(deadline_ms) => {
                live_slot?;
                Change::Touch { deadline_ms }
            }
            Action::Remove if live_slot.is_none() && !self.shared.replicated => return None,
            Action::Remove => Change::Remove { key },
            Action::Put(draft) => Change::Put {
                item: draft.into_item()?,
                cold: false,
            },
        };
        let at = self.place(shard, hash, key, live_slot);
        shard.change(&self.shared, batch, at, change, Cause::Client);
        shard.peek(at.slot).map(|item| item.version().latest())
    }

    /// Where the key's entry is or goes.
    pub(super) fn place(&self, shard: &Shard, hash: KeyHash, key: &[u8], known: Option<u64>) -> At {
        let slot = known
            .or_else(|| shard.find(hash, key).map(|(slot, _)| slot))
            .unwrap_or_else(|| shard.vacant_slot(hash));
        At {
            slot,
            displaced: slot != hash.slot(),
        }
    }

    /// The live entry of a key; else why there is none, and the slot of a dead one that was met
    /// and must go.
    fn look<'a>(
        &self,
        shard: &'a Shard,
        hash: KeyHash,
        key: &[u8],
        now: Now,
    ) -> Result<(u64, &'a Item), (Miss, Option<u64>)> {
        let (slot, item) = shard.find(hash, key).ok_or((Miss::Absent, None))?;
        if item.is_tombstone() {
            Err((Miss::Absent, None))
        } else if self.shared.is_flushed(item) {
            Err((Miss::Flushed, Some(slot)))
        } else if item.is_expired(now) {
            Err((Miss::Expired, Some(slot)))
        } else {
            Ok((slot, item))
        }
    }

    /// Removes an entry that is dead by its deadline or by a flush.
    pub(super) fn bury(&self, shard: &mut Shard, slot: u64, batch: &mut Batch) {
        let Some(item) = shard.peek(slot).cloned() else {
            return;
        };
        let flushed = self.shared.is_flushed(&item);
        let cause = if flushed {
            Cause::Reclaim
        } else {
            Cause::Expiry
        };
        if !flushed && !item.is_fetched() {
            self.shared
                .counters
                .expired_unfetched
                .fetch_add(1, Ordering::Relaxed);
        }
        let at = At {
            slot,
            displaced: item.is_displaced(),
        };
        shard.change(
            &self.shared,
            batch,
            at,
            Change::Remove { key: item.key() },
            cause,
        );
    }

    /// A hit promotes when the last promotion is older than an eighth of the coldest entry's, at
    /// most a minute: a fixed minute would turn a small busy cache into a queue.
    fn promotion_is_due(&self, shard: usize, item: &Item, tick: u32) -> bool {
        let age = tick.wrapping_sub(item.promoted());
        if age == 0 {
            return false;
        }
        let tail = self.shared.tail(shard);
        let tail_age = if tail == EMPTY_TAIL {
            0
        } else {
            tick.wrapping_sub(tail)
        };
        age > (tail_age / 8).min(ticks(limits::PROMOTION_MS_MAX))
    }

    fn promote_in(&self, shard: &mut Shard, slot: u64, tick: u32, batch: &mut Batch) {
        shard.promote(&self.shared, slot, tick);
        if self.shared.replicated {
            batch.promoted.push(slot);
        }
    }

    /// Kills everything that is stored now. Later writes survive, however soon they come.
    pub fn flush(&self, batch: &mut Batch) -> Stamp {
        self.flush_at_ms.store(NEVER, Ordering::Relaxed);
        let floor = self.shared.stamps.next(batch.now);
        self.shared.raise_floor(floor);
        floor
    }

    /// Kills what was stored before a moment of the past, in milliseconds since 2020.
    pub fn flush_before(&self, wall_ms: u64) -> Option<Stamp> {
        let floor = Stamp::at_wall_ms(wall_ms);
        self.shared.raise_floor(floor).then_some(floor)
    }

    /// Registers a flush for later; it replaces one that has not fired.
    pub fn flush_later(&self, at_ms: u64) {
        self.flush_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Fires a delayed flush whose time has come. Called at the start of every turn.
    pub fn flush_if_due(&self, now: Now) -> Option<Stamp> {
        let at_ms = self.flush_at_ms.load(Ordering::Relaxed);
        if at_ms > now.boot_ms {
            return None;
        }
        let fired =
            self.flush_at_ms
                .compare_exchange(at_ms, NEVER, Ordering::Relaxed, Ordering::Relaxed);
        fired.ok().map(|_| self.flush(&mut Batch::at(now)))
    }
}
