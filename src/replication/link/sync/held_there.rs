//! What a comparison has shown the partner to hold, too.
//!
//! The partner lists all buckets that differ. In the others it held, at some moment after the sums
//! were read here, just what this node held at that moment; and of a listed bucket its list says
//! it. Either counts for less than what the partner says of a single item meanwhile: its list may
//! have been on its way when it evicted that item.

use std::collections::HashSet;

use super::shard_view::ShardView;
use crate::limits::SYNC_LACKING_MAX;
use crate::replication::bucket_set::BucketSet;
use crate::rules::{Rule, holds};
use crate::store::{Store, Timestamp, Version};

/// What one round has shown.
#[derive(Debug, Default)]
pub(super) struct HeldThere {
    /// Compared, and not listed: in these the partner holds what this node held then.
    equal: BucketSet,
    /// What this node holds, and was written later, has a higher timestamp.
    up_to: Timestamp,
    /// What the partner has said it does not hold, since the round began.
    lacking: HashSet<u64>,
    /// More than can be remembered: nothing is known.
    has_overflowed: bool,
    view: ShardView,
}

impl HeldThere {
    /// The sums of these buckets are about to be read.
    pub(super) fn compared(buckets: &BucketSet, store: &Store) -> Self {
        Self {
            equal: buckets.clone(),
            up_to: store.hybrid_clock().highest(),
            ..Self::default()
        }
    }

    /// Whether anything is to be confirmed, or may be once the partner has listed it.
    pub(super) fn is_empty(&self) -> bool {
        self.up_to == Timestamp::ZERO
    }

    /// Whether [`Self::confirm`] has something to do.
    pub(super) fn has_equal(&self) -> bool {
        !self.equal.is_empty()
    }

    /// The partner holds something else in this bucket.
    pub(super) fn differs(&mut self, bucket: usize) {
        self.equal.remove(bucket);
    }

    /// The partner does not hold the item of this slot.
    pub(super) fn lacks(&mut self, slot: u64) {
        if !holds(Rule::PartnersWordOutweighsComparison) {
            return;
        }
        if self.lacking.len() < SYNC_LACKING_MAX {
            self.lacking.insert(slot);
        } else {
            self.has_overflowed = true;
            self.equal = BucketSet::default();
        }
    }

    /// The partner has listed this version.
    pub(super) fn confirm_item(&self, slot: u64, version: Version, store: &Store) {
        if !self.has_overflowed && !self.lacking.contains(&slot) {
            store.confirm_item(slot, version);
        }
    }

    /// There are no more lists: forgets all unless something is to be confirmed.
    pub(super) fn end(&mut self) {
        if self.equal.is_empty() {
            *self = Self::default();
        }
    }

    /// Notes in the items of the next equal buckets, which are all of one shard, that the partner
    /// holds them. Returns how many entries it has looked at.
    pub(super) fn confirm(&mut self, store: &Store) -> usize {
        let Some(first) = self.equal.first_from(0) else {
            return 0;
        };
        let shard = store.shard_of_bucket(first);
        let entries = self.view.load(store, shard);
        let (shard_first, count) = store.buckets_of(shard);
        for bucket in first..shard_first + count {
            if !self.equal.contains(bucket) {
                continue;
            }
            self.equal.remove(bucket);
            for entry in self.view.bucket(bucket) {
                let is_old = entry.version.latest() <= self.up_to;
                let is_old = is_old && holds(Rule::EqualBucketsAreConfirmed);
                if is_old && !entry.is_tombstone && !entry.is_confirmed {
                    self.confirm_item(entry.slot, entry.version, store);
                }
            }
        }
        self.end();
        entries.max(1)
    }
}
