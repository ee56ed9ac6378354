//! What this node knows of the partner's table.

use std::collections::VecDeque;

use super::shard_view::ShardView;
use crate::limits::{SYNC_LISTS_MAX, sizes};
use crate::replication::bucket_set::BucketSet;
use crate::replication::wire::{BucketDigest, Digests, SectionWriter};
use crate::rules::{Rule, holds};
use crate::store::{Store, Version};

/// See the module's parent.
#[derive(Debug, Default)]
pub(in crate::replication::link) struct SyncReceiver {
    /// Both nodes hash keys with the same secret. If not, sums and hashes say nothing: everything
    /// is listed as missing, and nothing is known before the end of the round.
    same_hashes: bool,
    /// The partner may hold something newer in these.
    unknown: BucketSet,
    round: Round,
    view: ShardView,
}

/// One comparison of some buckets.
#[derive(Debug, Default)]
struct Round {
    /// The sum of an earlier bucket does not come any more.
    next_bucket: usize,
    has_all_digests: bool,
    /// To be listed, in ascending order.
    to_list: BucketSet,
    /// A bucket that is listed in parts, and the first hash of its next part.
    part: Option<(usize, u64)>,
    /// Listed to the end and not answered.
    listed: BucketSet,
    /// No later bucket is listed to the end.
    listed_before: usize,
    /// That bucket for each list under way, oldest first.
    under_way: VecDeque<usize>,
    has_last_list: bool,
    /// The partner has dropped changes of these since its first sums came. What it held before
    /// still comes in this round, which makes none of them known.
    unsynced: BucketSet,
}

impl SyncReceiver {
    pub(super) fn new(same_hashes: bool) -> Self {
        Self {
            same_hashes,
            unknown: BucketSet::all(),
            ..Self::default()
        }
    }

    /// Buckets in which the partner may hold something newer.
    pub(in crate::replication::link) fn unknown(&self) -> &BucketSet {
        &self.unknown
    }

    /// Whether it has something to send once there is room for it.
    pub(in crate::replication::link) fn is_listing(&self) -> bool {
        let round = &self.round;
        let has_more = round.has_all_digests || !round.to_list.is_empty();
        has_more && !round.has_last_list && round.under_way.len() < SYNC_LISTS_MAX
    }

    /// Sums of the partner's table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn digests(
        &mut self,
        digests: &Digests<'_>,
        store: &Store,
    ) -> Result<(), &'static str> {
        if self.round.has_all_digests {
            return Err("digests before the end of the sync before");
        }
        if self.round.next_bucket == 0 {
            // Of an earlier round. What was dropped before its first sums is in the sums.
            self.view.forget();
            self.round.unsynced = BucketSet::default();
        }
        for (bucket, digest) in digests.buckets() {
            if bucket < self.round.next_bucket {
                return Err("digests that go back");
            }
            self.round.next_bucket = bucket + 1;
            self.compare(bucket, digest, store);
        }
        self.round.has_all_digests = digests.is_last;
        Ok(())
    }

    fn compare(&mut self, bucket: usize, digest: BucketDigest, store: &Store) {
        let same_hashes = self.same_hashes;
        let is_equal = |sum| same_hashes && store.bucket_sum(bucket) == sum;
        match digest {
            BucketDigest::Empty if self.same_hashes => self.is_known(bucket, store),
            BucketDigest::Sum(sum) if is_equal(sum) => self.is_known(bucket, store),
            BucketDigest::Empty | BucketDigest::Sum(_) => self.round.to_list.insert(bucket),
        }
    }

    fn is_known(&mut self, bucket: usize, store: &Store) {
        if !self.round.unsynced.contains(bucket) {
            self.unknown.remove(bucket);
            store.bucket_is_known(bucket);
        }
    }

    /// The next list to send, if there is one and it may be sent. Stops when it has looked at
    /// `entries_left`.
    pub(super) fn next_list(
        &mut self,
        store: &Store,
        entries_left: &mut usize,
    ) -> Option<(SectionWriter, bool)> {
        if !self.is_listing() {
            return None;
        }
        let mut writer = SectionWriter::default();
        while *entries_left > 0
            && let Some(bucket) = self.round.to_list.first_from(0)
            && self.list_bucket(bucket, store, &mut writer, entries_left)
        {}
        let round = &mut self.round;
        let is_last = round.has_all_digests && round.to_list.is_empty();
        if writer.is_empty() && !is_last {
            return None;
        }
        round.under_way.push_back(round.listed_before);
        round.has_last_list = is_last;
        Some((writer, is_last))
    }

    /// Lists a bucket. False if there is no room for it, or for all of it. One that does not fit a
    /// whole list is listed in parts.
    fn list_bucket(
        &mut self,
        bucket: usize,
        store: &Store,
        writer: &mut SectionWriter,
        entries_left: &mut usize,
    ) -> bool {
        let part = self.round.part.filter(|(it, _)| *it == bucket);
        let from = part.map_or(0, |(_, from)| from);
        let mut held: Vec<(u64, Version)> = Vec::new();
        if self.same_hashes {
            let entries = self.view.load(store, store.shard_of_bucket(bucket));
            *entries_left = entries_left.saturating_sub(entries);
            let live = self.view.bucket(bucket).iter();
            let live = live.filter(|it| !it.is_tombstone && it.hash >= from);
            held.extend(live.map(|it| (it.hash, it.version)));
        }
        let is_part = part.is_some();
        let room = writer.room(is_part).unwrap_or(0);
        // The last bucket of a frame may have no entry, so its header must fit, too.
        if writer.room(is_part).is_some() && held.len() <= room {
            let range = is_part.then_some((from, u64::MAX));
            writer.push(bucket as u16, range, held.into_iter());
            self.round.listed(bucket);
            if !holds(Rule::AnsweredListMakesKnown) {
                self.is_known(bucket, store);
            }
            return true;
        }
        if writer.is_empty() {
            let room = writer.room(true).unwrap_or(0);
            let next_hash = held[room].0;
            // All entries of one hash are in one part. There are no more than a key has slots.
            let end = held.partition_point(|(hash, _)| *hash < next_hash);
            let range = Some((from, next_hash - 1));
            writer.push(bucket as u16, range, held.drain(..end));
            self.round.part = Some((bucket, next_hash));
        }
        false
    }

    /// The oldest list is answered. `Err`: there is none.
    pub(super) fn list_done(&mut self, store: &Store) -> Result<(), &'static str> {
        let Some(before) = self.round.under_way.pop_front() else {
            return Err("the answer to a list that was not sent");
        };
        while let Some(bucket) = self.round.listed.first_from(0).filter(|it| *it < before) {
            self.round.listed.remove(bucket);
            if self.same_hashes {
                self.is_known(bucket, store);
            }
        }
        Ok(())
    }

    /// The partner has dropped changes of these buckets. What it said of them before does not
    /// count.
    pub(super) fn unsynced(&mut self, buckets: &BucketSet) {
        self.unknown.add(buckets);
        self.round.unsynced.add(buckets);
    }

    /// The partner has sent everything. `Err`: it cannot have.
    pub(super) fn ended(&mut self) -> Result<(), &'static str> {
        if !self.round.has_last_list || !self.round.under_way.is_empty() {
            return Err("the end of a sync that has not ended");
        }
        if !self.same_hashes && self.round.unsynced.is_empty() {
            self.unknown = BucketSet::default();
        }
        self.round = Round::default();
        self.view.forget();
        Ok(())
    }

    /// How much of the partner's table is known, in per cent.
    pub(in crate::replication::link) fn progress_percent(&self) -> u8 {
        let all = sizes().buckets();
        ((all - self.unknown.len()) * 100 / all) as u8
    }
}

impl Round {
    /// A bucket is listed to its end.
    fn listed(&mut self, bucket: usize) {
        self.to_list.remove(bucket);
        self.listed.insert(bucket);
        self.listed_before = bucket + 1;
        self.part = None;
    }
}
