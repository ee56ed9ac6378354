//! What only this node may hold.

use super::{Now, Store, Timestamp};

/// What counts as missing on the partner's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreplicated {
    /// What the partner has not confirmed.
    Unconfirmed,
    /// Everything: the partner may have lost what it had confirmed.
    All,
}

impl Store {
    /// How many live items and deletions the partner may not have, and whether a flush is among
    /// them. Walks the whole table, a shard in each hold of its lock: for a node without clients.
    pub fn count_unreplicated(&self, unreplicated: Unreplicated, now: Now) -> u64 {
        let flushes = u64::from(
            unreplicated == Unreplicated::All && self.flush_watermark() > Timestamp::ZERO,
        );
        let shards = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            let entries = shard.entries().map(|(_, item)| item);
            entries
                .filter(|item| unreplicated == Unreplicated::All || !item.is_confirmed())
                .filter(|item| !self.shared.is_flushed(item))
                .filter(|item| item.is_tombstone() || !item.is_expired(now))
                .count() as u64
        });
        shards.sum::<u64>() + flushes
    }
}
