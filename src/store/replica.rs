//! What the link does with the store: records in and out, confirmations, walks of the table.

use std::sync::atomic::Ordering;

use super::hash::KeyHash;
use super::hlc::{Stamp, Version};
use super::item::{Item, ItemHead, NEVER, tick_of};
use super::memory::cost_bytes;
use super::mutate::{At, Cause, Change};
use super::op_context::Batch;
use super::pending_item::Incoming;
use super::shard::Shard;
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
    NoRoom(Shortage),
}

/// Why a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// It is over `-I`, however much memory there is.
    TooLarge,
    /// There is no memory for it.
    Memory {
        /// What must be free.
        bytes: u64,
    },
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
    /// Milliseconds on the boot-time clock of the node that reads it; `None` for ever.
    pub deadline_ms: Option<u64>,
}

impl RecordHead {
    /// What to send of an item; the deadline is on this node's clock.
    pub fn of(item: &Item) -> Self {
        // Before the deadline: a touch sets it first.
        let version = item.version();
        Self {
            version,
            client_flags: item.client_flags(),
            marks: item.marks(),
            cas: item.cas_override(),
            deadline_ms: Some(item.deadline_ms()).filter(|&deadline_ms| deadline_ms != NEVER),
        }
    }

    pub(super) fn item_head(&self) -> ItemHead {
        ItemHead {
            client_flags: self.client_flags,
            deadline_ms: self.deadline_ms.unwrap_or(NEVER),
            marks: self.marks,
            cas: self.cas,
        }
    }
}

/// How an arriving version compares with what is here.
enum Standing {
    Newer,
    Equal,
    Older(Version),
}

impl Store {
    /// Whatever is in a slot, live or a tombstone.
    pub fn entry(&self, slot: u64) -> Option<Item> {
        self.shard(slot).lock().peek(slot).cloned()
    }

    /// Applies a record whose value is whole. Entries of our own that had to make room for it
    /// are dirty in the batch, if the partner must hear of it.
    pub fn apply(&self, mut incoming: Incoming, origin: Origin, batch: &mut Batch) -> Verdict {
        let version = incoming.version;
        let mut charged = incoming.charged_bytes;
        let Some(item) = incoming.finish() else {
            return self.refused(Shortage::TooLarge);
        };
        drop(incoming);
        let cost = cost_bytes(&item);
        self.shared.stamps.absorb(version.latest());
        let hash = self.shared.hasher.hash(item.key());
        let mut shard = self.shard(hash.slot()).lock();
        let (verdict, unused) = self.apply_in(&mut shard, hash, item, origin, &mut charged, batch);
        drop(shard);
        // What it replaced first, so that nobody else sees both and evicts for one of them.
        self.shared.free_retired(batch);
        match unused {
            Some(unused) => {
                drop(unused);
                self.shared.account.refund(charged);
            }
            None => self.shared.account.charge(cost - charged),
        }
        if self.may_evict_for(origin) {
            self.settle(batch);
        }
        verdict
    }

    pub(super) fn may_evict_for(&self, origin: Origin) -> bool {
        self.shared.evicting && origin == Origin::Live
    }

    /// Returns the item if the table did not take it. `charged` is what is in the account for it.
    fn apply_in(
        &self,
        shard: &mut Shard,
        hash: KeyHash,
        item: Item,
        origin: Origin,
        charged: &mut u64,
        batch: &mut Batch,
    ) -> (Verdict, Option<Item>) {
        let place = shard.locate(hash, item.key());
        let at = At::new(&place, hash.slot());
        let held = place.held();
        match self.standing(held, item.version()) {
            Standing::Older(newer) => return (Verdict::Superseded(newer), Some(item)),
            Standing::Equal => return (self.meet(shard, at, &item, batch), Some(item)),
            Standing::Newer => {}
        }
        // What it replaces may have become smaller, or gone, since it was reserved.
        let cost = cost_bytes(&item);
        let more = cost.saturating_sub(held.map_or(0, cost_bytes));
        let lacking = more.saturating_sub(*charged);
        if !self.may_evict_for(origin) && !self.shared.account.try_charge(lacking) {
            if held.is_some() {
                let removal = Change::Remove { key: item.key() };
                shard.change(&self.shared, batch, at, removal, Cause::Record);
            }
            return (self.refused(Shortage::Memory { bytes: cost }), Some(item));
        }
        *charged += lacking;
        let put = Change::Put {
            item,
            cold: origin == Origin::Resync,
        };
        shard.change(&self.shared, batch, at, put, Cause::Record);
        (Verdict::Applied, None)
    }

    /// Applies a deletion: an older entry goes, and no tombstone of our own is kept.
    pub fn apply_tombstone(&self, key: &[u8], version: Version, batch: &mut Batch) -> Verdict {
        match self.remove_older(key, version, batch) {
            Some((newer, _)) if newer > version => Verdict::Superseded(newer),
            _ => Verdict::Applied,
        }
    }

    /// A record that does not fit here: the older version held is removed all the same.
    pub fn refuse(
        &self,
        key: &[u8],
        version: Version,
        shortage: Shortage,
        batch: &mut Batch,
    ) -> Verdict {
        // If it was the machine that had no memory for it, the next one finds some.
        self.relieve(batch);
        match self.remove_older(key, version, batch) {
            None => self.refused(shortage),
            Some((held, is_live)) if held == version && is_live => Verdict::Applied,
            Some((held, _)) => Verdict::Superseded(held),
        }
    }

    fn refused(&self, shortage: Shortage) -> Verdict {
        let counters = &self.shared.counters;
        counters.records_refused.fetch_add(1, Ordering::Relaxed);
        Verdict::NoRoom(shortage)
    }

    /// Removes what is older than `version`. If that or a newer version is here, returns which,
    /// and whether it is live.
    fn remove_older(
        &self,
        key: &[u8],
        version: Version,
        batch: &mut Batch,
    ) -> Option<(Version, bool)> {
        self.shared.stamps.absorb(version.latest());
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let place = shard.locate(hash, key);
        let at = At::new(&place, hash.slot());
        let held = place.held();
        let stays = match self.standing(held, version) {
            Standing::Older(newer) => Some((newer, false)),
            // What was confirmed here stays; it must not die with the sender's copy.
            Standing::Equal => held.map(|item| (version, !item.is_tombstone())),
            Standing::Newer => None,
        };
        if stays.is_none() && held.is_some() {
            let removal = Change::Remove { key };
            shard.change(&self.shared, batch, at, removal, Cause::Record);
        }
        drop(shard);
        self.settle(batch);
        stays
    }

    fn standing(&self, held: Option<&Item>, version: Version) -> Standing {
        let floor = self.shared.floor();
        if version.stamp < floor {
            return Standing::Older(Version::written(floor));
        }
        let Some(held) = held.map(Item::version) else {
            return Standing::Newer;
        };
        match held.cmp(&version) {
            std::cmp::Ordering::Less => Standing::Newer,
            std::cmp::Ordering::Equal => Standing::Equal,
            std::cmp::Ordering::Greater => Standing::Older(held),
        }
    }

    /// Both sides hold this version: the earlier deadline wins. A tombstone here stays: what has
    /// expired or was evicted does not return.
    fn meet(&self, shard: &mut Shard, at: At, item: &Item, batch: &mut Batch) -> Verdict {
        if shard.peek(at.slot).is_some_and(Item::is_tombstone) {
            return Verdict::Superseded(item.version());
        }
        let meeting = Change::Meet {
            deadline_ms: item.deadline_ms(),
        };
        shard.change(&self.shared, batch, at, meeting, Cause::Record);
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
            let removal = Change::Remove { key: held.key() };
            let at = At::of(slot, &held);
            shard.change(&self.shared, &mut batch, at, removal, Cause::Reclaim);
        } else {
            held.confirm();
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
            out.extend(shard.lock().entries().map(|(slot, _)| slot));
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
