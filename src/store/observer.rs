//! Observers: told what commands and evictions do to items. `watch` is the only one, and usually
//! there is none. They are called without a lock.

use std::fmt::Debug;

use super::clock::Now;
use super::item::Item;
use super::lookup::Miss;

/// Receives what happens to items.
pub trait Observer: Debug + Send + Sync {
    /// A command looked a key up.
    fn looked_up(&self, key: &[u8], found: Result<ItemSummary, Miss>);
    /// A storage command was carried out or refused.
    fn stored(&self, storing: &StoreEventView<'_>);
    /// A command deleted an item.
    fn deleted(&self, key: &[u8], command: &str, item: ItemSummary);
    /// An item was evicted.
    fn evicted(&self, item: &Item, now: Now);
}

/// What log lines show of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSummary {
    /// Its slab class, as memcached would choose it; 0 for none.
    pub class: u8,
    /// The length of its value.
    pub value_len: usize,
}

impl ItemSummary {
    /// The summary of an item.
    pub fn of(item: &Item) -> Self {
        Self {
            class: item.class(),
            value_len: item.value().len(),
        }
    }
}

/// A storage command and its result, in memcached's words.
#[derive(Clone, Copy, Debug)]
pub struct StoreEventView<'a> {
    /// The key.
    pub key: &'a [u8],
    /// `stored`, `not_stored`, ...
    pub status: &'a str,
    /// `set`, `add`, ...
    pub command: &'a str,
    /// Seconds to live; 0 for ever.
    pub ttl_secs: u32,
    /// The item that was to be stored.
    pub item: ItemSummary,
}
