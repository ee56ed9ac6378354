//! What this node has evicted although the partner counts on it: any thread notes it, and the link
//! tells the partner. Nobody waits, and the list is bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Store;
use super::hlc::Timestamp;
use super::item::Item;
use super::op_context::OpContext;
use super::shared::Shared;
use crate::limits::EVICTION_NOTICES_MAX;

const RELAXED: Ordering = Ordering::Relaxed;

/// An item that was evicted, whatever its last touch was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The slot of its key.
    pub slot: u64,
    /// When its value was written.
    pub timestamp: Timestamp,
}

/// The evictions that the partner is to be told of.
#[derive(Debug, Default)]
pub(crate) struct EvictionNotices {
    /// A link is up that takes them.
    is_wanted: AtomicBool,
    waiting: Mutex<VecDeque<Evicted>>,
    /// The length of `waiting`, read without its lock.
    count: AtomicUsize,
}

impl Shared {
    /// Notes the eviction of an item in the context if the partner counts on it. Called under the
    /// lock of its shard.
    pub(super) fn note_eviction(&self, context: &mut OpContext, slot: u64, item: &Item) {
        let counts = || {
            let life = self.partner_lives.present();
            !item.is_tombstone() && item.confirmed().has_value(life)
        };
        if self.eviction_notices.is_wanted.load(RELAXED) && counts() {
            let timestamp = item.timestamp();
            context.evicted.push(Evicted { slot, timestamp });
        }
    }

    /// Takes what was noted in a context. Called without a lock.
    pub(super) fn take_evicted(&self, context: &mut OpContext) {
        let notices = &self.eviction_notices;
        let mut waiting = notices.waiting.lock();
        let room = EVICTION_NOTICES_MAX.saturating_sub(waiting.len());
        let untold = context.evicted.len().saturating_sub(room) as u64;
        waiting.extend(context.evicted.drain(..).take(room));
        notices.count.store(waiting.len(), RELAXED);
        drop(waiting);
        let counter = &self.counters.evictions_untold;
        counter.fetch_add(untold, RELAXED);
    }
}

impl Store {
    /// From now on evictions are noted for the partner, or not any more. What is left of an earlier
    /// link is forgotten: the syncs of the next one find it out.
    pub fn want_eviction_notices(&self, is_wanted: bool) {
        let notices = &self.shared.eviction_notices;
        let mut waiting = notices.waiting.lock();
        *waiting = VecDeque::new();
        notices.count.store(0, RELAXED);
        notices.is_wanted.store(is_wanted, RELAXED);
    }

    /// Whether there are evictions that the partner was not told of.
    pub fn has_eviction_notices(&self) -> bool {
        self.shared.eviction_notices.count.load(RELAXED) > 0
    }

    /// Takes the oldest of them, at most so many. An item that has come back since is left out: the
    /// partner has an ack that it is here.
    pub fn take_eviction_notices(&self, most: usize) -> Vec<Evicted> {
        let notices = &self.shared.eviction_notices;
        let mut waiting = notices.waiting.lock();
        let taken = waiting.len().min(most);
        let mut evicted: Vec<_> = waiting.drain(..taken).collect();
        notices.count.store(waiting.len(), RELAXED);
        drop(waiting);
        evicted.retain(|evicted| {
            let shard = self.shard(evicted.slot).lock();
            let entry = shard.table.peek(evicted.slot);
            !entry.is_some_and(|item| !item.is_tombstone() && item.timestamp() == evicted.timestamp)
        });
        evicted
    }
}
