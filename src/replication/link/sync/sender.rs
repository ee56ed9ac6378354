//! What this node still has to offer to the partner.

use std::collections::{BTreeSet, VecDeque};

use super::held_there::HeldThere;
use super::shard_view::ShardView;
use crate::limits::{SYNC_LISTS_MAX, SYNC_SHARD_COST_ENTRIES, sizes};
use crate::replication::bucket_set::BucketSet;
use crate::replication::wire::{BucketDigest, DigestRuns, List, Section, Sections};
use crate::rules::{Rule, holds};
use crate::store::{ListedEntry, Store, Version, bucket_of};

/// See the module's parent.
#[derive(Debug, Default)]
pub(in crate::replication::link) struct SyncSender {
    /// The buckets of the next round.
    requested: BucketSet,
    /// Of these, those in which changes were dropped, as long as the partner was not told.
    untold: BucketSet,
    /// Those of which it was told, and which nothing makes known to it before the next round.
    told: BucketSet,
    round: Option<Round>,
    /// What the round before has found out.
    held: HeldThere,
}

/// One comparison of some buckets.
#[derive(Debug)]
struct Round {
    buckets: BucketSet,
    stage: Stage,
    /// Slots whose records are to be sent, the next one last.
    due: Vec<u64>,
    /// Slots of large values that the live lane sends, or that changed while they were sent. They
    /// are sent after `due` unless the live lane has sent them by then.
    deferred: BTreeSet<u64>,
    /// Not answered, oldest first.
    lists: VecDeque<ReceivedList>,
    /// Bucket and hash up to which the partner has listed.
    listed_to: Option<(u16, u64)>,
    has_last_list: bool,
    view: ShardView,
    held: HeldThere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The tombstones of this shard are next.
    Tombstones { shard: usize },
    /// The sum of this bucket is next.
    Digests { bucket: usize },
    /// The partner's lists are answered.
    Lists,
}

#[derive(Debug)]
struct ReceivedList {
    sections: Vec<u8>,
    /// Bytes of them that are done.
    offset: usize,
    is_last: bool,
}

/// What [`SyncSender::advance`] has found to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing before the partner sends something, or the live lane has sent a large value.
    Wait,
    /// So many entries were looked at; records may have become due.
    Looked { entries: usize },
    /// Digests to be sent.
    Digests { runs: DigestRuns, is_last: bool },
    /// All records of the oldest list are on the wire.
    ListDone { is_last: bool },
}

impl SyncSender {
    /// Requests a round of all buckets. A running one is finished first.
    pub(in crate::replication::link) fn request_all(&mut self) {
        self.requested = BucketSet::all();
    }

    /// Changes in these buckets were dropped: requests a round of them, of which the partner is
    /// told. A running one is finished first, so that repeated overflows cannot keep the partner
    /// waiting for its end.
    ///
    /// The partner is not told twice, or a node that overflows all the time would fill a slow line
    /// with it. But what it was told while sums are sent, these may have made known again.
    pub(in crate::replication::link) fn request(&mut self, buckets: &BucketSet) {
        let mut news = buckets.clone();
        if !self.sends_sums() {
            news.subtract(&self.told);
        }
        self.untold.add(&news);
        self.requested.add(buckets);
    }

    /// The buckets in which changes were dropped, and of which the partner was not told.
    pub(super) fn take_untold(&mut self) -> Option<BucketSet> {
        if self.untold.is_empty() {
            return None;
        }
        let news = std::mem::take(&mut self.untold);
        if !self.sends_sums() {
            self.told.add(&news);
        }
        Some(news)
    }

    /// Whether sums are still to be sent in this round.
    fn sends_sums(&self) -> bool {
        let round = self.round.as_ref();
        round.is_some_and(|round| round.stage != Stage::Lists)
    }

    /// Begins the round that was requested, unless one is running. True if it has, and compares all
    /// buckets.
    pub(super) fn begin(&mut self) -> bool {
        if self.round.is_some() || self.requested.is_empty() {
            return false;
        }
        self.told = BucketSet::default();
        let buckets = std::mem::take(&mut self.requested);
        let compares_all = buckets.len() == sizes().buckets();
        self.round = Some(Round {
            buckets,
            stage: Stage::Tombstones { shard: 0 },
            due: Vec::new(),
            deferred: BTreeSet::new(),
            lists: VecDeque::new(),
            listed_to: None,
            has_last_list: false,
            view: ShardView::default(),
            held: HeldThere::default(),
        });
        compares_all
    }

    /// The end mark is on the wire.
    pub(super) fn end(&mut self) {
        if let Some(round) = self.round.take() {
            self.held = round.held;
            self.held.end();
        }
    }

    /// The partner has said that it does not hold the item of this slot.
    pub(in crate::replication::link) fn lacks(&mut self, slot: u64) {
        let held = match &mut self.round {
            Some(round) => &mut round.held,
            None => &mut self.held,
        };
        if !held.is_empty() {
            held.lacks(slot);
        }
    }

    /// Whether [`Self::lacks`] makes a difference.
    pub(in crate::replication::link) fn compares(&self) -> bool {
        self.round.is_some() || self.has_equal()
    }

    /// Whether [`Self::confirm_equal`] has something to do. A new round waits for it.
    pub(super) fn has_equal(&self) -> bool {
        self.round.is_none() && self.held.has_equal()
    }

    /// Notes in the items of some equal buckets that the partner holds them. Returns how many
    /// entries it has looked at.
    pub(super) fn confirm_equal(&mut self, store: &Store) -> usize {
        self.held.confirm(store)
    }

    /// Whether no round is running or requested.
    pub(in crate::replication::link) fn is_idle(&self) -> bool {
        self.round.is_none() && self.requested.is_empty()
    }

    /// Whether a round is running.
    pub(in crate::replication::link) fn is_running(&self) -> bool {
        self.round.is_some()
    }

    /// The entry of this slot must still be sent before the list is done that it is in. False if no
    /// round is running or the slot is deferred already.
    pub(in crate::replication::link) fn defer(&mut self, slot: u64) -> bool {
        let round = self.round.as_mut();
        round.is_some_and(|round| round.deferred.insert(slot))
    }

    /// The slot's record is on the wire to its end.
    pub(in crate::replication::link) fn sent(&mut self, slot: u64) {
        if let Some(round) = &mut self.round {
            round.deferred.remove(&slot);
        }
    }

    /// The next slot whose record is due; then the first deferred one, until it is [`Self::sent`].
    pub(super) fn next_due(&mut self) -> Option<u64> {
        let round = self.round.as_mut()?;
        let due = round.due.pop();
        due.or_else(|| round.deferred.first().copied())
    }

    /// A list of the partner.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn received(&mut self, list: &List<'_>) -> Result<(), &'static str> {
        let Some(round) = &mut self.round else {
            return Err("a list when nothing was compared");
        };
        let is_early = match round.stage {
            Stage::Tombstones { .. } => true,
            Stage::Digests { .. } => list.is_last,
            Stage::Lists => false,
        };
        if is_early || round.has_last_list {
            return Err("a list before digests, or after the last list");
        }
        if round.lists.len() >= SYNC_LISTS_MAX {
            return Err("more lists than may be under way");
        }
        let (first, last) = (list.sections().next(), list.sections().last());
        if first.is_some_and(|first| round.listed_to >= Some((first.bucket, first.first_hash))) {
            return Err("a list of what was listed before");
        }
        if let Some(last) = last {
            round.listed_to = Some((last.bucket, last.last_hash));
        }
        for section in list.sections() {
            round.held.differs(usize::from(section.bucket));
        }
        round.has_last_list = list.is_last;
        round.lists.push_back(ReceivedList {
            sections: list.sections().0.to_vec(),
            offset: 0,
            is_last: list.is_last,
        });
        Ok(())
    }

    /// Goes on with the round once nothing is due any more.
    pub(super) fn advance(&mut self, store: &Store) -> Step {
        let Some(round) = self.round.as_mut() else {
            return Step::Wait;
        };
        if !round.deferred.is_empty() {
            return Step::Wait;
        }
        match round.stage {
            Stage::Tombstones { shard } => round.find_tombstones(shard, store),
            Stage::Digests { bucket } => round.next_digests(bucket, store),
            Stage::Lists => round.answer(store),
        }
    }
}

impl Round {
    fn find_tombstones(&mut self, shard: usize, store: &Store) -> Step {
        if shard == store.shard_count() {
            self.stage = Stage::Digests { bucket: 0 };
            self.held = HeldThere::compared(&self.buckets, store);
        } else {
            self.stage = Stage::Tombstones { shard: shard + 1 };
            if holds(Rule::SyncSendsTombstones) {
                store.tombstones_of(shard, &mut self.due);
            }
            let buckets = &self.buckets;
            self.due
                .retain(|&slot| buckets.contains(usize::from(bucket_of(slot))));
        }
        Step::Looked {
            entries: SYNC_SHARD_COST_ENTRIES + self.due.len(),
        }
    }

    /// The digests of the next buckets, as many as fit a frame.
    fn next_digests(&mut self, from: usize, store: &Store) -> Step {
        let mut runs = DigestRuns::default();
        let mut sums = Vec::new();
        let mut next = self.buckets.first_from(from);
        while let Some(first) = next.filter(|_| !runs.is_full()) {
            let shard = store.shard_of_bucket(first);
            sums.clear();
            let has_tombstone =
                store.sums_of(shard, &mut sums) && holds(Rule::TombstoneIsNoEmptyBucket);
            let (shard_first, count) = store.buckets_of(shard);
            let is_here = |bucket: &usize| *bucket < shard_first + count;
            while let Some(bucket) = next.filter(is_here).filter(|_| !runs.is_full()) {
                let digest = match sums.get(bucket - shard_first) {
                    Some(0) if !has_tombstone => BucketDigest::Empty,
                    sum => BucketDigest::Sum(sum.copied().unwrap_or(0)),
                };
                runs.push(bucket, digest);
                next = self.buckets.first_from(bucket + 1);
            }
        }
        self.stage = match next {
            Some(bucket) => Stage::Digests { bucket },
            None => Stage::Lists,
        };
        let is_last = next.is_none();
        Step::Digests { runs, is_last }
    }

    /// Finds the records that the next sections of the oldest list make due: those of one shard, so
    /// that its entries are listed once and sent hottest first.
    fn answer(&mut self, store: &Store) -> Step {
        let Some(list) = self.lists.front_mut() else {
            return Step::Wait;
        };
        let mut sections = Sections(&list.sections[list.offset..]);
        let Some(first) = sections.clone().next() else {
            let is_last = list.is_last;
            self.lists.pop_front();
            return Step::ListDone { is_last };
        };
        let shard = store.shard_of_bucket(usize::from(first.bucket));
        let mut entries = self.view.load(store, shard);
        let mut found = Found::default();
        let mut rest = sections;
        while let Some(section) = sections.next() {
            if store.shard_of_bucket(usize::from(section.bucket)) != shard {
                break;
            }
            let own = self.view.bucket(usize::from(section.bucket));
            entries += own.len();
            found.compare(own, &section);
            rest = sections;
        }
        list.offset = list.sections.len() - rest.0.len();
        // The last one goes first.
        found
            .due
            .sort_unstable_by_key(|&(rank, _)| std::cmp::Reverse(rank));
        self.due.extend(found.due.iter().map(|&(_, slot)| slot));
        for (slot, version) in found.held {
            self.held.confirm_item(slot, version, store);
        }
        Step::Looked { entries }
    }
}

/// What comparing own entries with a list has found.
#[derive(Default)]
struct Found {
    /// Ranks and slots of the records that the partner needs.
    due: Vec<(u32, u64)>,
    /// Versions that the partner holds and was not known to.
    held: Vec<(u64, Version)>,
}

impl Found {
    /// Compares the own entries of a bucket with what the partner has listed of it.
    fn compare(&mut self, own: &[ListedEntry], section: &Section<'_>) {
        let mut listed = section.entries().peekable();
        let range = section.first_hash..=section.last_hash;
        for same in own.chunk_by(|one, next| one.hash == next.hash) {
            let hash = same[0].hash;
            if !range.contains(&hash) {
                continue;
            }
            while listed.next_if(|(it, _)| *it < hash).is_some() {}
            let there = listed.next_if(|(it, _)| *it == hash);
            let mut is_one_key = same.len() == 1;
            while listed.next_if(|(it, _)| *it == hash).is_some() {
                is_one_key = false;
            }
            for entry in same {
                let there = there.map(|(_, version)| version);
                self.compare_entry(entry, there, is_one_key);
            }
        }
    }

    fn compare_entry(&mut self, own: &ListedEntry, there: Option<Version>, is_one_key: bool) {
        let is_due = match there {
            // Every tombstone is sent anyway.
            None => !own.is_tombstone,
            Some(version) if is_one_key => own.version > version,
            // Several keys have this hash: which one was listed is not known.
            Some(_) => true,
        };
        if is_due {
            self.due.push((own.rank, own.slot));
        } else if there == Some(own.version) && !own.is_tombstone && !own.is_confirmed {
            self.held.push((own.slot, own.version));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Action, OpContext, StoreConfig, bucket_of};

    /// The partner would take a bucket for known in which it still has what was deleted here.
    #[test]
    fn a_bucket_with_a_deletion_that_came_after_the_others_were_sent_is_not_empty() {
        let store = Store::new(&StoreConfig {
            replicated: true,
            ..StoreConfig::of_a_test()
        });
        let mut sender = SyncSender::default();
        sender.request_all();
        assert!(sender.begin());
        for _ in 0..=store.shard_count() {
            assert!(matches!(sender.advance(&store), Step::Looked { .. }));
            assert_eq!(sender.next_due(), None);
        }
        let mut context = OpContext::default();
        store.update(b"key", &mut context, |_| (Action::Remove, ()));
        let deleted = usize::from(bucket_of(store.slot_of(b"key")));
        let Step::Digests {
            runs,
            is_last: true,
        } = sender.advance(&store)
        else {
            panic!("no digests");
        };
        let crate::replication::wire::Frame::Digests(digests) = runs.frame(true) else {
            panic!("no digests");
        };
        for (bucket, digest) in digests.buckets() {
            let is_in_shard = store.shard_of_bucket(bucket) == store.shard_of_bucket(deleted);
            let is_empty = digest == BucketDigest::Empty;
            assert_eq!(is_empty, !is_in_shard, "{bucket}");
        }
    }
}
