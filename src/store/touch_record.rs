//! A touch of the partner that comes without its value.

use super::Store;
use super::in_place::InPlace;
use super::item::{NEVER, tick_of};
use super::mutate::{Cause, Change, SlotRef};
use super::op_context::OpContext;
use super::record::{ApplyResult, RecordHead};
use super::replica::VersionOrder;
use super::shard::Shard;

impl Store {
    /// Applies a touch: version, deadline and item flags of a value that this node may hold. As a
    /// whole record would, it makes the item the hottest of its shard.
    pub fn apply_touch(
        &self,
        key: &[u8],
        head: &RecordHead,
        context: &mut OpContext,
    ) -> ApplyResult {
        let version = head.version;
        self.shared.hybrid_clock.absorb(version.latest());
        let hash = self.shared.hasher.hash(key);
        let mut shard = self.shard(hash.slot()).lock();
        let place = shard.locate(hash, key);
        let at = SlotRef::new(&place, hash.slot());
        let held = place.held();
        let has_value =
            held.is_some_and(|it| !it.is_tombstone() && it.timestamp() == version.timestamp);
        match self.order_of(held, version) {
            VersionOrder::Older(newer) => ApplyResult::Superseded(newer),
            VersionOrder::Equal => {
                let deadline_ms = head.deadline_ms.unwrap_or(NEVER);
                self.confirm_equal(&mut shard, at, (version, deadline_ms), context)
            }
            VersionOrder::Newer if has_value => {
                self.touch_to(&mut shard, at, head, context);
                ApplyResult::Applied
            }
            VersionOrder::Newer => ApplyResult::Lacking,
        }
    }

    fn touch_to(&self, shard: &mut Shard, at: SlotRef, head: &RecordHead, context: &mut OpContext) {
        let change = Change::InPlace(InPlace::TouchTo {
            version: head.version,
            deadline_ms: head.deadline_ms.unwrap_or(NEVER),
            item_flags: head.item_flags,
        });
        shard.mutate(&self.shared, context, at, change, Cause::Record);
        shard.promote(&self.shared, at.slot, tick_of(context.now));
    }
}
