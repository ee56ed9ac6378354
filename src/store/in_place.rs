//! Changes that are made to an entry in its slot. Called by [`Shard::mutate`] only.

use super::confirmed::{Confirmed, PartnerSays};
use super::hlc::{Timestamp, Version};
use super::op_context::OpContext;
use super::shard::Shard;
use super::shared::Shared;
use super::shift::Shift;
use crate::rules::{Rule, holds};

/// What to do with the entry of a slot.
pub(crate) enum InPlace {
    /// Set another deadline and other item flags.
    Touch { deadline_ms: u64, item_flags: u8 },
    /// Set what a touch of the partner says.
    TouchTo {
        version: Version,
        deadline_ms: u64,
        item_flags: u8,
    },
    /// Confirm the entry: the partner holds the same version. The earlier deadline counts.
    ConfirmEqual { deadline_ms: u64 },
    /// Note what the partner has said of the entry.
    PartnerSays(PartnerSays),
    /// Move the entry's timestamps up.
    Lift { shift: Shift },
}

impl Shard {
    /// Returns the timestamp of a client's touch, of which the partner must be told.
    pub(super) fn change_in_place(
        &mut self,
        shared: &Shared,
        context: &mut OpContext,
        slot: u64,
        change: &InPlace,
    ) -> Option<Timestamp> {
        match *change {
            InPlace::Touch {
                deadline_ms,
                item_flags,
            } => return self.touch(shared, context, slot, (deadline_ms, item_flags)),
            InPlace::TouchTo {
                version,
                deadline_ms,
                item_flags,
            } => self.touch_to(shared, context, slot, (version, deadline_ms, item_flags)),
            InPlace::ConfirmEqual { deadline_ms } => {
                self.confirm_equal(shared, context, slot, deadline_ms);
            }
            InPlace::PartnerSays(says) => self.note_partner(shared, slot, says),
            InPlace::Lift { shift } => self.lift(shared, slot, &shift),
        }
        None
    }

    /// Changes deadline and item flags in place. A touch must not change the CAS unique, so it has
    /// a timestamp of its own.
    fn touch(
        &mut self,
        shared: &Shared,
        context: &mut OpContext,
        slot: u64,
        (deadline_ms, item_flags): (u64, u8),
    ) -> Option<Timestamp> {
        let item = self.table.peek(slot)?;
        let before = item.version();
        let touched = shared.hybrid_clock.next(context.now);
        let outlives = deadline_ms >= item.deadline_ms() && item_flags == item.item_flags();
        self.unprotected.count_in_place(shared, item, || {
            item.set_deadline_ms(deadline_ms);
            item.set_item_flags(item_flags);
            item.set_version(Version { touched, ..before });
            if holds(Rule::TouchUnconfirms) {
                item.set_confirmed(item.confirmed().touched(outlives));
            }
        });
        self.digests
            .change_version(&shared.hasher, slot, item, before);
        shared.note_large(context, slot, item);
        self.expiry_buckets
            .watch(&self.table, slot, item, context.now);
        Some(touched)
    }

    fn touch_to(
        &mut self,
        shared: &Shared,
        context: &OpContext,
        slot: u64,
        (version, deadline_ms, item_flags): (Version, u64, u8),
    ) {
        let Some(item) = self.table.peek(slot) else {
            return;
        };
        let before = item.version();
        self.unprotected.count_in_place(shared, item, || {
            item.set_deadline_ms(deadline_ms);
            item.set_item_flags(item_flags);
            item.set_version(version);
            item.set_confirmed(shared.confirmed_by_record());
        });
        self.digests
            .change_version(&shared.hasher, slot, item, before);
        self.expiry_buckets
            .watch(&self.table, slot, item, context.now);
    }

    fn confirm_equal(&mut self, shared: &Shared, context: &OpContext, slot: u64, deadline_ms: u64) {
        let Some(item) = self.table.peek(slot) else {
            return;
        };
        self.unprotected.count_in_place(shared, item, || {
            item.set_confirmed(shared.confirmed_by_record());
        });
        if deadline_ms < item.deadline_ms() && holds(Rule::EarlierDeadlineCounts) {
            item.set_deadline_ms(deadline_ms);
            self.expiry_buckets
                .watch(&self.table, slot, item, context.now);
        }
    }

    /// Moves an entry's timestamps up. There is no link during a lift, so nobody is to be told: the
    /// sync of the next link sends everything.
    fn lift(&mut self, shared: &Shared, slot: u64, shift: &Shift) {
        if let Some(item) = self.table.peek(slot) {
            let before = item.version();
            self.unprotected.count_in_place(shared, item, || {
                item.set_version(shift.of_version(before));
                item.set_confirmed(Confirmed::default());
            });
            self.digests
                .change_version(&shared.hasher, slot, item, before);
        }
    }

    fn note_partner(&mut self, shared: &Shared, slot: u64, says: PartnerSays) {
        if let Some(item) = self.table.peek(slot) {
            let life = shared.partner_lives.present();
            self.unprotected.count_in_place(shared, item, || {
                item.set_confirmed(item.confirmed().after(says, life));
            });
        }
    }
}
