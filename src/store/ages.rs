//! How long items of each class have been unused, for `stats items`.

use super::classes::index;
use super::{Now, Store};
use crate::limits::{AGE_ENTRIES, CLASSES};

impl Store {
    /// Seconds since the last use of the longest unused item of each class. Looks only at the cold
    /// end of each shard, at [`AGE_ENTRIES`] items of all shards together.
    pub fn idle_secs_by_class(&self, now: Now) -> [u64; CLASSES] {
        let entries = (AGE_ENTRIES / self.shards.len()).max(1);
        let mut idle_ms = [0; CLASSES];
        for shard in &self.shards {
            let shard = shard.lock();
            let coldest = shard.table.coldest_first().take(entries);
            for (_, item) in coldest {
                let longest = &mut idle_ms[index(item.class())];
                *longest = item.idle_ms(now).max(*longest);
            }
        }
        idle_ms.map(|ms| ms / 1000)
    }
}
