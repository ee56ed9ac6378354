//! What only this node may hold.

use super::{Now, Stamp, Store};

/// What counts as missing on the partner's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// What the partner has not confirmed.
    Unconfirmed,
    /// Everything: the partner may have lost what it had confirmed.
    All,
}

impl Store {
    /// How many live items and deletions the partner may not have, and whether a flush is among
    /// them. Walks the whole table, a shard in each hold of its lock: for a node without clients.
    pub fn count_owed(&self, owed: Owed, now: Now) -> u64 {
        let flushes = u64::from(owed == Owed::All && self.floor() > Stamp::ZERO);
        let shards = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            let entries = shard.entries().map(|(_, item)| item);
            entries
                .filter(|item| owed == Owed::All || !item.is_confirmed())
                .filter(|item| !self.shared.is_flushed(item))
                .filter(|item| item.is_tombstone() || !item.is_expired(now))
                .count() as u64
        });
        shards.sum::<u64>() + flushes
    }
}
