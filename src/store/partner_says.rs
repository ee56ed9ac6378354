//! What the partner says of the entries here: its acks, and what it has evicted.

use super::Store;
use super::confirmed::PartnerSays;
use super::eviction_notices::Evicted;
use super::hlc::Version;
use super::in_place::InPlace;
use super::item::Item;
use super::mutate::{Cause, Change, SlotRef};
use super::op_context::OpContext;
use crate::rules::{Rule, holds};

impl Store {
    /// A link to this process of the partner is up. If the last link was to another one, nothing
    /// that the partner has confirmed counts any more.
    pub fn partner_linked(&self, incarnation: u64) {
        let clock = &self.shared.hybrid_clock;
        self.shared.partner_lives.linked(incarnation, clock);
    }

    /// The partner has this version, a deletion perhaps.
    pub fn confirm(&self, slot: u64, version: Version) {
        if !self.confirm_item(slot, version) {
            self.remove_tombstone(slot, version);
        }
    }

    /// The partner holds an item of this version. If that has become a tombstone here, this is
    /// still to be sent, so that the partner learns that it alone holds the item. False if the slot
    /// has no item.
    pub fn confirm_item(&self, slot: u64, version: Version) -> bool {
        self.note_partner(slot, |item| {
            if item.version() == version || !holds(Rule::AckConfirmsItsVersion) {
                Some(PartnerSays::Holds)
            } else {
                let is_value = item.timestamp() == version.timestamp;
                is_value.then_some(PartnerSays::HoldsValue)
            }
        })
    }

    /// The partner has answered this version with the one that it holds itself.
    pub fn superseded(&self, slot: u64, version: Version, held_there: Version) {
        self.note_partner(slot, |item| {
            (item.version() == version).then_some(if held_there > version {
                PartnerSays::HoldsNewer
            } else {
                // It has evicted or expired its copy, and its tombstone is on the way.
                PartnerSays::Removed
            })
        });
    }

    /// Whether the partner holds the value of this item, perhaps without its last touch.
    pub fn partner_has_value(&self, item: &Item) -> bool {
        let life = self.shared.partner_lives.present();
        item.confirmed().has_value(life)
    }

    /// Whether the partner is known to hold this entry, in this version or a newer one.
    pub(crate) fn is_protected(&self, item: &Item) -> bool {
        item.confirmed()
            .is_held(self.shared.partner_lives.present())
    }

    /// The partner had no room for this version, and has removed an older one; or it lacks the
    /// value of which this is a touch.
    pub fn refused_there(&self, slot: u64, version: Version) {
        self.note_partner(slot, |item| {
            (item.timestamp() == version.timestamp).then_some(PartnerSays::Refused)
        });
    }

    /// The partner has evicted a value. False if it is not here, or was not known to be there.
    pub fn evicted_there(&self, evicted: Evicted) -> bool {
        let mut is_known = false;
        self.note_partner(evicted.slot, |item| {
            let life = self.shared.partner_lives.present();
            is_known = item.timestamp() == evicted.timestamp && item.confirmed().has_value(life);
            is_known.then_some(PartnerSays::Evicted)
        });
        is_known
    }

    /// Notes what the partner says of the item of a slot, if `says` recognises it. False if the
    /// slot has no item.
    fn note_partner(&self, slot: u64, says: impl FnOnce(&Item) -> Option<PartnerSays>) -> bool {
        let mut context = OpContext::default();
        let mut shard = self.shard(slot).lock();
        let item = shard.table.peek(slot).filter(|item| !item.is_tombstone());
        let Some(item) = item else {
            return false;
        };
        if let Some(says) = says(item) {
            let at = SlotRef::of(slot, item);
            let change = Change::InPlace(InPlace::PartnerSays(says));
            shard.mutate(&self.shared, &mut context, at, change, Cause::Ack);
        }
        drop(shard);
        self.shared.free_retired(&mut context);
        true
    }

    /// Removes the tombstone of this version: the partner has it.
    fn remove_tombstone(&self, slot: u64, version: Version) {
        let mut context = OpContext::default();
        let mut shard = self.shard(slot).lock();
        let held = shard.table.peek(slot).filter(|item| item.is_tombstone());
        let Some(held) = held.filter(|item| item.version() == version).cloned() else {
            return;
        };
        let removal = Change::Remove { key: held.key() };
        let at = SlotRef::of(slot, &held);
        shard.mutate(&self.shared, &mut context, at, removal, Cause::Reclaim);
        drop(shard);
        drop(held);
        self.shared.free_retired(&mut context);
    }
}
