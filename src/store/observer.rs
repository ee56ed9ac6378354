//! Observers: told what commands and evictions do to items. `watch` is the only one, and usually
//! there is none. They are called without a lock.

use std::fmt::Debug;
use std::sync::Arc;

use super::item::Item;
use super::op_context::OpContext;
use super::ops::Miss;
use super::{Now, Store};

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

impl OpContext {
    /// Does something without reporting it.
    pub(crate) fn without_observer<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let observer = self.observer.take();
        let result = act(self);
        self.observer = observer;
        result
    }

    pub(super) fn report_lookup(&self, key: &[u8], found: Result<ItemSummary, Miss>) {
        if let Some(observer) = &self.observer {
            observer.looked_up(key, found);
        }
    }
}

impl Store {
    /// Sets the observer of evictions that no client's command causes: the partner's writes and a
    /// lower memory limit do. Only the first call has an effect.
    pub fn set_background_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.background_observer.set(observer);
    }

    /// Reports the live items among those that an eviction has just removed.
    #[cold]
    pub(super) fn report_evictions(&self, context: &OpContext) {
        let background_observer = self
            .background_observer
            .get()
            .filter(|_| context.is_background);
        let Some(observer) = context.observer.as_ref().or(background_observer) else {
            return;
        };
        for item in &context.retired {
            let is_dead = self.shared.is_flushed(item) || item.is_expired(context.now);
            if !item.is_tombstone() && !is_dead {
                observer.evicted(item, context.now);
            }
        }
    }
}
