//! What the link does with the store: records in and out, confirmations, walks of the table.

use std::sync::atomic::Ordering;

use super::batch::Batch;
use super::door::{At, Cause, Change};
use super::draft::Incoming;
use super::item::{Item, ItemHead, NEVER, tick_of};
use super::memory::cost_bytes;
use super::shard::Shard;
use super::stamp::{Stamp, Version};
use super::{Now, Store};

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A write of the partner's clients: enters at the hot end and may evict.
    Live,
    /// A pass over the partner's table: enters at the cold end and never evicts.
    Resync,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This node's table holds it.
    Applied,
    /// This node's table holds something newer.
    Superseded(Version),
    /// Refused; an older version was removed all the same.
    NoRoom,
}

/// A record's state beside key and value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHead {
    /// Decides who wins.
    pub version: Version,
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// See [`super::marks`].
    pub marks: u8,
    /// A CAS unique set by a client.
    pub cas: Option<u64>,
    /// Milliseconds left to live; `None` for ever.
    pub remaining_ms: Option<u64>,
}

impl RecordHead {
    /// What to send of an item, as of now.
    pub fn of(item: &Item, now: Now) -> Self {
        let version = item.version();
        Self {
            version,
            client_flags: item.client_flags(),
            marks: item.marks(),
            cas: item.cas_override(),
            remaining_ms: item.remaining_ms(now),
        }
    }

    pub(super) fn item_head(&self, now: Now) -> ItemHead {
        ItemHead {
            client_flags: self.client_flags,
            deadline_ms: self
                .remaining_ms
                .map_or(NEVER, |ms| now.boot_ms.saturating_add(ms)),
            marks: self.marks,
            cas: self.cas,
        }
    }
}

/// How an arriving version compares with what is here.
enum Standing {
    Newer(Option<u64>),
    Equal(u64),
    Older(Version),
}

impl Store {
    /// Whatever is in a slot, live or a tombstone.
    pub fn entry(&self, slot: u64) -> Option<Item> {
        self.shard(slot).lock().peek(slot).cloned()
    }

    /// Applies a record whose value is whole.
    pub fn apply(&self, mut incoming: Incoming, origin: Origin, now: Now) -> Verdict {
        let version = incoming.version;
        let Some(item) = incoming.finish() else {
            return Verdict::NoRoom;
        };
        drop(incoming);
        self.shared.stamps.absorb(version.latest());
        let mut batch = Batch::at(now);
        let mut shard = self.shard(self.slot_of(item.key())).lock();
        let (verdict, unused) = self.apply_in(&mut shard, item, version, origin, &mut batch);
        drop(shard);
        if let Some(unused) = unused {
            batch.retired.push(unused);
        }
        self.settle(&mut batch);
        verdict
    }

    /// Returns the item if the table did not take it.
    fn apply_in(
        &self,
        shard: &mut Shard,
        item: Item,
        version: Version,
        origin: Origin,
        batch: &mut Batch,
    ) -> (Verdict, Option<Item>) {
        let floor = self.shared.floor();
        if version.stamp < floor {
            return (Verdict::Superseded(Version::written(floor)), Some(item));
        }
        let slot = match self.standing(shard, item.key(), version) {
            Standing::Older(newer) => return (Verdict::Superseded(newer), Some(item)),
            Standing::Equal(slot) => return (self.meet_equal(shard, slot, &item), Some(item)),
            Standing::Newer(slot) => slot,
        };
        let hash = self.shared.hasher.hash(item.key());
        let at = self.place(shard, hash, item.key(), slot);
        let bound = !self.shared.evicting || origin == Origin::Resync;
        let old_cost = slot.and_then(|slot| shard.peek(slot)).map_or(0, cost_bytes);
        let grows = cost_bytes(&item) > old_cost;
        if bound && grows && self.shared.account.is_over_budget() {
            self.shared
                .counters
                .records_refused
                .fetch_add(1, Ordering::Relaxed);
            if slot.is_some() {
                let removal = Change::Remove { key: item.key() };
                shard.change(&self.shared, batch, at, removal, Cause::Record);
            }
            return (Verdict::NoRoom, Some(item));
        }
        let put = Change::Put {
            item,
            cold: origin == Origin::Resync,
        };
        shard.change(&self.shared, batch, at, put, Cause::Record);
        (Verdict::Applied, None)
    }

    /// Applies a deletion: an older entry goes, and no tombstone of our own is kept.
    pub fn apply_tombstone(&self, key: &[u8], version: Version, now: Now) -> Verdict {
        self.shared.stamps.absorb(version.latest());
        let mut batch = Batch::at(now);
        let mut shard = self.shard(self.slot_of(key)).lock();
        let verdict = match self.standing(&shard, key, version) {
            Standing::Older(newer) => Verdict::Superseded(newer),
            // Equal: what was confirmed here stays; it must not die with the sender's copy.
            Standing::Equal(_) | Standing::Newer(None) => Verdict::Applied,
            Standing::Newer(Some(slot)) => {
                let displaced = shard.peek(slot).is_some_and(Item::is_displaced);
                let at = At { slot, displaced };
                let removal = Change::Remove { key };
                shard.change(&self.shared, &mut batch, at, removal, Cause::Record);
                Verdict::Applied
            }
        };
        drop(shard);
        self.settle(&mut batch);
        verdict
    }

    /// A record that does not fit here: the older version held is removed all the same.
    pub fn refuse(&self, key: &[u8], version: Version, now: Now) -> Verdict {
        self.shared
            .counters
            .records_refused
            .fetch_add(1, Ordering::Relaxed);
        match self.apply_tombstone(key, version, now) {
            Verdict::Applied => Verdict::NoRoom,
            other => other,
        }
    }

    fn standing(&self, shard: &Shard, key: &[u8], version: Version) -> Standing {
        let Some((slot, held)) = shard.find(self.shared.hasher.hash(key), key) else {
            return Standing::Newer(None);
        };
        match held.version().cmp(&version) {
            std::cmp::Ordering::Less => Standing::Newer(Some(slot)),
            std::cmp::Ordering::Equal => Standing::Equal(slot),
            std::cmp::Ordering::Greater => Standing::Older(held.version()),
        }
    }

    /// Both sides hold this version: the earlier deadline wins. A tombstone here stays: what has
    /// expired or was evicted does not return.
    fn meet_equal(&self, shard: &mut Shard, slot: u64, item: &Item) -> Verdict {
        let Some(held) = shard.peek(slot) else {
            return Verdict::Applied;
        };
        if held.is_tombstone() {
            return Verdict::Superseded(held.version());
        }
        if item.deadline_ms() < held.deadline_ms() {
            held.set_deadline_ms(item.deadline_ms());
        }
        held.set_confirmed(true);
        Verdict::Applied
    }

    /// The partner holds this version or a newer one.
    pub fn confirm(&self, slot: u64, version: Version) {
        let mut batch = Batch::default();
        let mut shard = self.shard(slot).lock();
        let Some(held) = shard.peek(slot).filter(|item| item.version() == version) else {
            return;
        };
        if held.is_tombstone() {
            let held = held.clone();
            let at = At {
                slot,
                displaced: held.is_displaced(),
            };
            let removal = Change::Remove { key: held.key() };
            shard.change(&self.shared, &mut batch, at, removal, Cause::Reclaim);
        } else {
            held.set_confirmed(true);
        }
        drop(shard);
        self.shared.free_retired(&mut batch);
    }

    /// A client of the partner used the entry: it must not be evicted first here.
    pub fn promote(&self, slot: u64, now: Now) {
        self.shard(slot)
            .lock()
            .promote(&self.shared, slot, tick_of(now));
    }

    /// How many shards there are to walk.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Appends all slots of a shard, hottest first: a whole shard in one hold of its lock.
    pub fn slots_of(&self, shard: usize, out: &mut Vec<u64>) {
        if let Some(shard) = self.shards.get(shard) {
            out.extend(shard.lock().slots());
        }
    }

    /// The flush floor: everything with a lower stamp is dead.
    pub fn floor(&self) -> Stamp {
        self.shared.floor()
    }

    /// Takes over a partner's flush floor; false if ours was as high.
    pub fn raise_floor(&self, floor: Stamp) -> bool {
        self.shared.raise_floor(floor)
    }
}
