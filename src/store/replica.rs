//! The operations that the link uses: records in and out, walks of the table.

use std::sync::atomic::Ordering;

use super::confirmed::PartnerSays;
use super::hash::KeyHash;
use super::hlc::{Timestamp, Version};
use super::in_place::InPlace;
use super::item::{Item, tick_of};
use super::memory::cost_bytes;
use super::mutate::{Cause, Change, SlotRef};
use super::op_context::OpContext;
use super::partial_item::PartialItem;
use super::record::{ApplyResult, Origin, RefuseReason};
use super::shard::Shard;
use super::{Now, Store};
use crate::rules::{Rule, holds};

/// How the version of a record compares with the entry here.
pub(super) enum VersionOrder {
    Newer,
    Equal,
    Older(Version),
}

impl Store {
    /// The entry of a slot, an item or a tombstone.
    pub fn entry(&self, slot: u64) -> Option<Item> {
        self.shard(slot).lock().table.peek(slot).cloned()
    }

    /// Applies a complete record. Items evicted for it are dirty in the context if the partner must
    /// be told.
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
        if holds(Rule::RecordTimestampsAbsorbed) {
            self.shared.hybrid_clock.absorb(version.latest());
        }
        let hash = self.shared.hasher.hash(item.key());
        let mut shard = self.shard(hash.slot()).lock();
        let (result, unused) = self.apply_in(&mut shard, hash, item, origin, &mut charged, context);
        drop(shard);
        // The replaced item is refunded before the new one is charged, so that no other thread sees
        // both and evicts for one of them.
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
        result
    }

    pub(super) fn may_evict_for(&self, origin: Origin) -> bool {
        self.shared.evicting && origin == Origin::Live
    }

    /// The part of [`Self::apply`] under the lock. Returns the item if the table did not take it.
    /// `charged` is what the account holds for it.
    fn apply_in(
        &self,
        shard: &mut Shard,
        hash: KeyHash,
        item: Item,
        origin: Origin,
        charged: &mut u64,
        context: &mut OpContext,
    ) -> (ApplyResult, Option<Item>) {
        // Compare the versions.
        let place = shard.locate(hash, item.key());
        let at = SlotRef::new(&place, hash.slot());
        let held = place.held();
        match self.order_of(held, item.version()) {
            VersionOrder::Older(newer) => return (ApplyResult::Superseded(newer), Some(item)),
            VersionOrder::Equal => {
                let equal = (item.version(), item.deadline_ms());
                return (self.confirm_equal(shard, at, equal, context), Some(item));
            }
            VersionOrder::Newer => {}
        }
        // Charge what is missing: the entry it replaces may have become smaller since its memory
        // was reserved.
        let cost = cost_bytes(&item);
        let more = cost.saturating_sub(held.map_or(0, cost_bytes));
        let lacking = more.saturating_sub(*charged);
        if !self.may_evict_for(origin) && !self.shared.account.try_charge(lacking) {
            if held.is_some() && holds(Rule::NoRoomRemovesOlder) {
                let removal = Change::Remove { key: item.key() };
                shard.mutate(&self.shared, context, at, removal, Cause::Record);
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
        shard.mutate(&self.shared, context, at, put, Cause::Record);
        (ApplyResult::Applied, None)
    }

    /// Applies a deletion: removes an older entry, and keeps no tombstone.
    pub fn apply_tombstone(
        &self,
        key: &[u8],
        version: Version,
        context: &mut OpContext,
    ) -> ApplyResult {
        // A tombstone of a version that is here: the partner has evicted or expired its copy, and
        // ours stays.
        match self.remove_older(key, version, PartnerSays::Removed, context) {
            Some((newer, _)) if newer > version => ApplyResult::Superseded(newer),
            _ => ApplyResult::Applied,
        }
    }

    /// Refuses a record that does not fit. An older version of the key is removed nevertheless:
    /// clients must not read what was replaced.
    pub fn refuse(
        &self,
        key: &[u8],
        version: Version,
        reason: RefuseReason,
        context: &mut OpContext,
    ) -> ApplyResult {
        // If the machine had no memory for it, evict for the next one.
        self.relieve(context);
        if !holds(Rule::NoRoomRemovesOlder) {
            return self.refused(reason);
        }
        match self.remove_older(key, version, PartnerSays::Holds, context) {
            None => self.refused(reason),
            Some((held, is_live)) if held == version && is_live => ApplyResult::Applied,
            Some((held, _)) => ApplyResult::Superseded(held),
        }
    }

    fn refused(&self, reason: RefuseReason) -> ApplyResult {
        let counters = &self.shared.counters;
        counters.records_refused.fetch_add(1, Ordering::Relaxed);
        ApplyResult::NoRoom(reason)
    }

    /// Removes an entry older than `version`. If `version` or a newer one is here, returns it, and
    /// whether it is a live item of exactly that version: of that, the partner says `equal`.
    fn remove_older(
        &self,
        key: &[u8],
        version: Version,
        equal: PartnerSays,
        context: &mut OpContext,
    ) -> Option<(Version, bool)> {
        if holds(Rule::RecordTimestampsAbsorbed) {
            self.shared.hybrid_clock.absorb(version.latest());
        }
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let place = shard.locate(hash, key);
        let at = SlotRef::new(&place, hash.slot());
        let held = place.held();
        let is_held = held.is_some();
        let stays = match self.order_of(held, version) {
            VersionOrder::Older(newer) => Some((newer, false)),
            VersionOrder::Equal if !holds(Rule::EqualTombstoneKeepsItem) => None,
            VersionOrder::Equal => held.map(|item| (version, !item.is_tombstone())),
            VersionOrder::Newer => None,
        };
        if stays == Some((version, true)) {
            let change = Change::InPlace(InPlace::PartnerSays(equal));
            shard.mutate(&self.shared, context, at, change, Cause::Record);
        }
        if stays.is_none() && is_held {
            let removal = Change::Remove { key };
            shard.mutate(&self.shared, context, at, removal, Cause::Record);
        }
        drop(shard);
        self.free_and_evict(context);
        stays
    }

    pub(super) fn order_of(&self, held: Option<&Item>, version: Version) -> VersionOrder {
        let flush_watermark = self.shared.flush_watermark();
        if version.timestamp < flush_watermark && holds(Rule::WatermarkRefusesRecords) {
            return VersionOrder::Older(Version::written(flush_watermark));
        }
        let Some(held) = held.map(Item::version) else {
            return VersionOrder::Newer;
        };
        let order = if holds(Rule::TouchOrdersVersions) {
            held.cmp(&version)
        } else {
            held.timestamp.cmp(&version.timestamp)
        };
        match order {
            std::cmp::Ordering::Less => VersionOrder::Newer,
            std::cmp::Ordering::Equal => VersionOrder::Equal,
            std::cmp::Ordering::Greater => VersionOrder::Older(held),
        }
    }

    /// Both sides hold this version: the earlier deadline wins. A tombstone here stays, so that an
    /// expired or evicted item does not return.
    pub(super) fn confirm_equal(
        &self,
        shard: &mut Shard,
        at: SlotRef,
        (version, deadline_ms): (Version, u64),
        context: &mut OpContext,
    ) -> ApplyResult {
        if shard.table.peek(at.slot).is_some_and(Item::is_tombstone) {
            return ApplyResult::Superseded(version);
        }
        let confirmation = Change::InPlace(InPlace::ConfirmEqual { deadline_ms });
        shard.mutate(&self.shared, context, at, confirmation, Cause::Record);
        ApplyResult::Applied
    }

    /// Promotes an item that a client of the partner has read.
    pub fn promote(&self, slot: u64, now: Now) {
        self.shard(slot)
            .lock()
            .promote(&self.shared, slot, tick_of(now));
    }

    /// Appends the slots of all entries whose key has this hash: the slot itself, and those to
    /// which other keys with the same hash were displaced.
    pub fn slots_of_hash(&self, slot: u64, slots: &mut Vec<u64>) {
        let shard = self.shard(slot).lock();
        if shard.table.contains(slot) {
            slots.push(slot);
        }
        if shard.displaced > 0 {
            let entries = shard.table.entries();
            let displaced = entries.filter(|(_, item)| item.is_displaced());
            let same = displaced.filter(|(at, item)| {
                *at != slot && self.shared.hasher.hash(item.key()).slot() == slot
            });
            slots.extend(same.map(|(at, _)| at));
        }
    }

    /// The number of shards.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Appends all slots of a shard, hottest first: a whole shard in one hold of its lock.
    pub fn slots_of(&self, shard: usize, out: &mut Vec<u64>) {
        if let Some(shard) = self.shards.get(shard) {
            out.extend(shard.lock().table.entries().map(|(slot, _)| slot));
        }
    }

    /// The flush watermark: everything with a lower timestamp is invalid.
    pub fn flush_watermark(&self) -> Timestamp {
        self.shared.flush_watermark()
    }

    /// Raises the flush watermark to the partner's; false if it was as high already.
    pub fn raise_flush_watermark(&self, flush_watermark: Timestamp) -> bool {
        self.shared.raise_flush_watermark(flush_watermark)
    }
}
