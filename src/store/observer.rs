//! Somebody who is told what commands and memory pressure do to items, without the store knowing
//! why: `watch` asks for it. Told without a lock; mostly there is nobody.

use std::fmt::Debug;
use std::sync::Arc;

use super::item::Item;
use super::op_context::Batch;
use super::ops::Miss;
use super::{Now, Store};

/// See the module.
pub trait Witness: Debug + Send + Sync {
    /// A key was looked up by a command of whatever kind.
    fn looked_up(&self, key: &[u8], found: Result<Seen, Miss>);
    /// A storage command has been decided.
    fn stored(&self, storing: &Storing<'_>);
    /// An item was deleted by this command.
    fn deleted(&self, key: &[u8], command: &str, seen: Seen);
    /// An item made room for others.
    fn evicted(&self, item: &Item, now: Now);
}

/// What a log line tells of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its slab class, as memcached would choose it; 0 for none.
    pub class: u8,
    /// The length of its value.
    pub value_len: usize,
}

impl Seen {
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
pub struct Storing<'a> {
    /// The key.
    pub key: &'a [u8],
    /// `stored`, `not_stored`, ...
    pub status: &'a str,
    /// `set`, `add`, ...
    pub command: &'a str,
    /// Seconds to live; 0 for ever.
    pub ttl_secs: u32,
    /// The item that was to be stored.
    pub seen: Seen,
}

impl Batch {
    /// Does something without telling it.
    pub(crate) fn unseen<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let witness = self.witness.take();
        let result = act(self);
        self.witness = witness;
        result
    }

    pub(super) fn tell_lookup(&self, key: &[u8], found: Result<Seen, Miss>) {
        if let Some(witness) = &self.witness {
            witness.looked_up(key, found);
        }
    }
}

impl Store {
    /// Has somebody told of evictions that are no client's doing: the partner's writes and a lower
    /// memory limit cause them, too. Counts once.
    pub fn tell_bystander(&self, witness: Arc<dyn Witness>) {
        let _ = self.bystander.set(witness);
    }

    /// Tells of the live items among those that an eviction has just taken out.
    #[cold]
    pub(super) fn tell_evicted(&self, batch: &Batch) {
        let bystander = self.bystander.get().filter(|_| batch.is_background);
        let Some(witness) = batch.witness.as_ref().or(bystander) else {
            return;
        };
        for item in &batch.retired {
            let is_dead = self.shared.is_flushed(item) || item.is_expired(batch.now);
            if !item.is_tombstone() && !is_dead {
                witness.evicted(item, batch.now);
            }
        }
    }
}
