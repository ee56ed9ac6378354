//! Counts what the partner may lack.

use super::{Now, Store, Timestamp};

/// What counts as unreplicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreplicated {
    /// What the partner has not confirmed.
    Unconfirmed,
    /// Everything: the partner may have lost what it confirmed.
    All,
}

impl Store {
    /// The number of live items, deletions and flushes that the partner may lack. It walks a whole
    /// shard in each hold of a lock, so only a node without clients calls it.
    pub fn count_unreplicated(&self, unreplicated: Unreplicated, now: Now) -> u64 {
        let flushes = u64::from(
            unreplicated == Unreplicated::All && self.flush_watermark() > Timestamp::ZERO,
        );
        let shards = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            let entries = shard.table.entries().map(|(_, item)| item);
            entries
                .filter(|item| unreplicated == Unreplicated::All || !item.is_confirmed())
                .filter(|item| !self.shared.is_flushed(item))
                .filter(|item| item.is_tombstone() || !item.is_expired(now))
                .count() as u64
        });
        shards.sum::<u64>() + flushes
    }
}
