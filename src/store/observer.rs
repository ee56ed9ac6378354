//! Somebody who is told what commands and memory pressure do to items, without the store knowing
//! why: `watch` asks for it. Told without a lock; mostly there is nobody.

use std::fmt::Debug;
use std::sync::Arc;

use super::item::Item;
use super::op_context::OpContext;
use super::ops::Miss;
use super::{Now, Store};

/// See the module.
pub trait Observer: Debug + Send + Sync {
    /// A key was looked up by a command of whatever kind.
    fn looked_up(&self, key: &[u8], found: Result<ItemSummary, Miss>);
    /// A storage command has been decided.
    fn stored(&self, storing: &StoreEventView<'_>);
    /// An item was deleted by this command.
    fn deleted(&self, key: &[u8], command: &str, item: ItemSummary);
    /// An item made room for others.
    fn evicted(&self, item: &Item, now: Now);
}

/// What a log line tells of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSummary {
    /// Its slab class, as memcached would choose it; 0 for none.
    pub class: u8,
    /// The length of its value.
    pub value_len: usize,
}

impl ItemSummary {
    /// As it is.
    pub fn of(item: &Item) -> Self {
        Self {
            class: item.class(),
            value_len: item.value().len(),
        }
    }
}

/// A storage command and what became of it, in memcached's words.
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
    /// Does something without telling it.
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
    /// Has somebody told of evictions that are no client's doing: the partner's writes and a lower
    /// memory limit cause them, too. Counts once.
    pub fn set_background_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.background_observer.set(observer);
    }

    /// Tells of the live items among those that an eviction has just taken out.
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
