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

/// What the partner may lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreplicatedCount {
    /// Live items.
    pub items: u64,
    /// Deletions, and one for a flush.
    pub deletions: u64,
}

impl Store {
    /// The number of live items, deletions and flushes that the partner may lack. It walks a whole
    /// shard in each hold of a lock, so only a node without clients calls it.
    pub fn count_unreplicated(&self, unreplicated: Unreplicated, now: Now) -> UnreplicatedCount {
        let has_flushed = self.flush_watermark() > Timestamp::ZERO;
        let mut count = UnreplicatedCount {
            items: 0,
            deletions: u64::from(unreplicated == Unreplicated::All && has_flushed),
        };
        let life = self.shared.partner_lives.present();
        for shard in &self.shards {
            let shard = shard.lock();
            let entries = shard.table.entries().map(|(_, item)| item);
            let lacking = entries
                .filter(|item| {
                    unreplicated == Unreplicated::All || !item.confirmed().has_had_version(life)
                })
                .filter(|item| !self.shared.is_flushed(item));
            for item in lacking {
                if item.is_tombstone() {
                    count.deletions += 1;
                } else if !item.is_expired(now) {
                    count.items += 1;
                }
            }
        }
        count
    }
}
