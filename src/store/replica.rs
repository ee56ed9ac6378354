//! What the link does with the store: records in and out, confirmations, walks of the table.

use std::sync::atomic::Ordering;

use super::hash::KeyHash;
use super::hlc::{Timestamp, Version};
use super::item::{Item, ItemHead, NEVER, tick_of};
use super::memory::cost_bytes;
use super::mutate::{Cause, Change, SlotRef};
use super::op_context::OpContext;
use super::pending_item::PartialItem;
use super::shard::Shard;
use super::{Now, Store};

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A write of the partner's clients: enters at the hot end and may evict.
    Live,
    /// A pass over the partner's table: enters at the cold end and never evicts.
    Sync,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyResult {
    /// This node's table holds it.
    Applied,
    /// This node's table holds something newer.
    Superseded(Version),
    /// Refused; an older version was removed all the same.
    NoRoom(RefuseReason),
}

/// Why a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseReason {
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
    pub item_flags: u8,
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
            item_flags: item.item_flags(),
            cas: item.cas_override(),
            deadline_ms: Some(item.deadline_ms()).filter(|&deadline_ms| deadline_ms != NEVER),
        }
    }

    pub(super) fn item_head(&self) -> ItemHead {
        ItemHead {
            client_flags: self.client_flags,
            deadline_ms: self.deadline_ms.unwrap_or(NEVER),
            item_flags: self.item_flags,
            cas: self.cas,
        }
    }
}

/// How an arriving version compares with what is here.
enum VersionOrder {
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
    /// are dirty in the context, if the partner must hear of it.
    pub fn apply(
        &self,
        mut partial: PartialItem,
        origin: Origin,
        context: &mut OpContext,
    ) -> ApplyResult {
        let version = partial.version;
        let mut charged = partial.charged_bytes;
        let Some(item) = partial.finish() else {
            return self.refused(RefuseReason::TooLarge);
        };
        drop(partial);
        let cost = cost_bytes(&item);
        self.shared.hybrid_clock.absorb(version.latest());
        let hash = self.shared.hasher.hash(item.key());
        let mut shard = self.shard(hash.slot()).lock();
        let (verdict, unused) =
            self.apply_in(&mut shard, hash, item, origin, &mut charged, context);
        drop(shard);
        // What it replaced first, so that nobody else sees both and evicts for one of them.
        self.shared.free_retired(context);
        match unused {
            Some(unused) => {
                drop(unused);
                self.shared.account.refund(charged);
            }
            None => self.shared.account.charge(cost - charged),
        }
        if self.may_evict_for(origin) {
            self.free_and_evict(context);
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
        context: &mut OpContext,
    ) -> (ApplyResult, Option<Item>) {
        let place = shard.locate(hash, item.key());
        let at = SlotRef::new(&place, hash.slot());
        let held = place.held();
        match self.order_of(held, item.version()) {
            VersionOrder::Older(newer) => return (ApplyResult::Superseded(newer), Some(item)),
            VersionOrder::Equal => {
                return (self.confirm_equal(shard, at, &item, context), Some(item));
            }
            VersionOrder::Newer => {}
        }
        // What it replaces may have become smaller, or gone, since it was reserved.
        let cost = cost_bytes(&item);
        let more = cost.saturating_sub(held.map_or(0, cost_bytes));
        let lacking = more.saturating_sub(*charged);
        if !self.may_evict_for(origin) && !self.shared.account.try_charge(lacking) {
            if held.is_some() {
                let removal = Change::Remove { key: item.key() };
                shard.change(&self.shared, context, at, removal, Cause::Record);
            }
            return (
                self.refused(RefuseReason::Memory { bytes: cost }),
                Some(item),
            );
        }
        *charged += lacking;
        let put = Change::Put {
            item,
            cold: origin == Origin::Sync,
        };
        shard.change(&self.shared, context, at, put, Cause::Record);
        (ApplyResult::Applied, None)
    }

    /// Applies a deletion: an older entry goes, and no tombstone of our own is kept.
    pub fn apply_tombstone(
        &self,
        key: &[u8],
        version: Version,
        context: &mut OpContext,
    ) -> ApplyResult {
        match self.remove_older(key, version, context) {
            Some((newer, _)) if newer > version => ApplyResult::Superseded(newer),
            _ => ApplyResult::Applied,
        }
    }

    /// A record that does not fit here: the older version held is removed all the same.
    pub fn refuse(
        &self,
        key: &[u8],
        version: Version,
        shortage: RefuseReason,
        context: &mut OpContext,
    ) -> ApplyResult {
        // If it was the machine that had no memory for it, the next one finds some.
        self.relieve(context);
        match self.remove_older(key, version, context) {
            None => self.refused(shortage),
            Some((held, is_live)) if held == version && is_live => ApplyResult::Applied,
            Some((held, _)) => ApplyResult::Superseded(held),
        }
    }

    fn refused(&self, shortage: RefuseReason) -> ApplyResult {
        let counters = &self.shared.counters;
        counters.records_refused.fetch_add(1, Ordering::Relaxed);
        ApplyResult::NoRoom(shortage)
    }

    /// Removes what is older than `version`. If that or a newer version is here, returns which,
    /// and whether it is live.
    fn remove_older(
        &self,
        key: &[u8],
        version: Version,
        context: &mut OpContext,
    ) -> Option<(Version, bool)> {
        self.shared.hybrid_clock.absorb(version.latest());
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let place = shard.locate(hash, key);
        let at = SlotRef::new(&place, hash.slot());
        let held = place.held();
        let stays = match self.order_of(held, version) {
            VersionOrder::Older(newer) => Some((newer, false)),
            // What was confirmed here stays; it must not die with the sender's copy.
            VersionOrder::Equal => held.map(|item| (version, !item.is_tombstone())),
            VersionOrder::Newer => None,
        };
        if stays.is_none() && held.is_some() {
            let removal = Change::Remove { key };
            shard.change(&self.shared, context, at, removal, Cause::Record);
        }
        drop(shard);
        self.free_and_evict(context);
        stays
    }

    fn order_of(&self, held: Option<&Item>, version: Version) -> VersionOrder {
        let flush_watermark = self.shared.flush_watermark();
        if version.timestamp < flush_watermark {
            return VersionOrder::Older(Version::written(flush_watermark));
        }
        let Some(held) = held.map(Item::version) else {
            return VersionOrder::Newer;
        };
        match held.cmp(&version) {
            std::cmp::Ordering::Less => VersionOrder::Newer,
            std::cmp::Ordering::Equal => VersionOrder::Equal,
            std::cmp::Ordering::Greater => VersionOrder::Older(held),
        }
    }

    /// Both sides hold this version: the earlier deadline wins. A tombstone here stays: what has
    /// expired or was evicted does not return.
    fn confirm_equal(
        &self,
        shard: &mut Shard,
        at: SlotRef,
        item: &Item,
        context: &mut OpContext,
    ) -> ApplyResult {
        if shard.peek(at.slot).is_some_and(Item::is_tombstone) {
            return ApplyResult::Superseded(item.version());
        }
        let confirmation = Change::ConfirmEqual {
            deadline_ms: item.deadline_ms(),
        };
        shard.change(&self.shared, context, at, confirmation, Cause::Record);
        ApplyResult::Applied
    }

    /// The partner holds this version or a newer one.
    pub fn confirm(&self, slot: u64, version: Version) {
        let mut context = OpContext::default();
        let mut shard = self.shard(slot).lock();
        let Some(held) = shard.peek(slot).filter(|item| item.version() == version) else {
            return;
        };
        if held.is_tombstone() {
            let held = held.clone();
            let removal = Change::Remove { key: held.key() };
            let at = SlotRef::of(slot, &held);
            shard.change(&self.shared, &mut context, at, removal, Cause::Reclaim);
        } else {
            held.confirm();
        }
        drop(shard);
        self.shared.free_retired(&mut context);
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

    /// The flush watermark: everything with a lower timestamp is dead.
    pub fn flush_watermark(&self) -> Timestamp {
        self.shared.flush_watermark()
    }

    /// Takes over a partner's flush watermark; false if ours was as high.
    pub fn raise_flush_watermark(&self, flush_watermark: Timestamp) -> bool {
        self.shared.raise_flush_watermark(flush_watermark)
    }
}
