//! The entries of one shard by bucket, listed once for all buckets in it.

use crate::limits::SYNC_SHARD_COST_ENTRIES;
use crate::store::{ListedEntry, Store};

/// The entries of one shard as they were when it was listed. What has changed since is on its way
/// to the partner in the live lane, or the view must be forgotten.
#[derive(Debug, Default)]
pub(super) struct ShardView {
    shard: Option<usize>,
    entries: Vec<ListedEntry>,
}

impl ShardView {
    /// Lists a shard, unless it is the one listed last. Returns how many entries that cost.
    pub(super) fn load(&mut self, store: &Store, shard: usize) -> usize {
        if self.shard == Some(shard) {
            return 0;
        }
        self.shard = Some(shard);
        store.list_shard(shard, &mut self.entries);
        SYNC_SHARD_COST_ENTRIES + self.entries.len()
    }

    /// The entries of a bucket of the listed shard, by hash.
    pub(super) fn bucket(&self, bucket: usize) -> &[ListedEntry] {
        let start = self.entries.partition_point(|it| it.bucket() < bucket);
        let entries = &self.entries[start..];
        &entries[..entries.partition_point(|it| it.bucket() == bucket)]
    }

    /// Frees its memory; the next use lists the shard again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
