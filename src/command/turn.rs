//! What a command works with during one turn of a connection.

use super::storage::Stored;
use crate::limits::{COPIED_BYTES_PER_SENT, TURN_OUTPUT_BYTES};
use crate::stats::{ClassCounts, Prefixes, WorkerCounters};
use crate::store::{
    ItemHead, ItemSummary, Miss, NEVER, NoRoom, Now, OpContext, PendingItem, Store, StoreEventView,
};

/// The store, the moment, the changes so far, and the counters of this worker.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The node's items.
    pub store: &'t Store,
    /// The moment and the changes of this turn.
    pub batch: &'t mut OpContext,
    /// Written by this worker only.
    pub counters: &'t WorkerCounters,
    /// Counts keys by their prefix while `stats detail` is on.
    pub prefixes: &'t Prefixes,
    /// What it has done that fills no output, as bytes to send that would take as long.
    pub spent_bytes: usize,
    /// The turn ends before a request once it has so much to send.
    pub output_bytes_max: usize,
}

impl<'t> Turn<'t> {
    /// Carries out a change again, as long as it is refused because the machine has no memory for
    /// an item; each time after evicting others.
    pub(super) fn retry<R>(
        &mut self,
        attempt: impl FnMut(&mut Self) -> R,
        is_refused: impl Fn(&R) -> bool,
    ) -> R {
        let store = self.store;
        store.retry(self, |turn| turn.batch, attempt, is_refused)
    }

    /// Allocates an item to be filled within this turn.
    pub(super) fn draft(
        &mut self,
        key: &[u8],
        head: &ItemHead,
        value_len: usize,
    ) -> Result<PendingItem<'t>, NoRoom> {
        let store = self.store;
        self.retry(|_| store.pending_item(key, head, value_len), Result::is_err)
    }

    /// The moment of the turn.
    pub fn now(&self) -> Now {
        self.batch.now
    }

    /// Counts a value that was copied into a new item: some such requests are a turn.
    pub(super) fn count_copied(&mut self, bytes: usize) {
        self.spent_bytes += bytes / COPIED_BYTES_PER_SENT;
    }

    /// Ends the turn after this request, which may look at the whole store or at files.
    pub fn count_survey(&mut self) {
        self.spent_bytes += TURN_OUTPUT_BYTES;
    }

    /// The counters of the class of the item that was last met.
    pub(super) fn met(&self) -> &ClassCounts {
        self.counters.class(self.batch.found_class)
    }
}

/// What a storage command is called, and what it is about to store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) command: &'static str,
    /// Boot-time milliseconds.
    pub(super) deadline_ms: u64,
    pub(super) seen: ItemSummary,
}

impl Turn<'_> {
    /// Tells whoever watches how a storage command has ended.
    pub(super) fn tell_stored(&self, key: &[u8], stored: Stored, told: Told) {
        let Some(observer) = &self.batch.observer else {
            return;
        };
        let ttl_secs = match told.deadline_ms {
            NEVER => 0,
            // Shown unsigned, as there, when it has passed.
            deadline_ms => self.now().secs_until(deadline_ms) as u32,
        };
        observer.stored(&StoreEventView {
            key,
            status: stored.word(),
            command: told.command,
            ttl_secs,
            item: told.seen,
        });
    }

    /// The same of a deletion.
    pub(super) fn tell_deleted(&self, key: &[u8], command: &'static str, seen: ItemSummary) {
        if let Some(observer) = &self.batch.observer {
            observer.deleted(key, command, seen);
        }
    }
}

/// Counts why a lookup found nothing.
pub(super) fn count_miss(counters: &WorkerCounters, miss: Miss) {
    match miss {
        Miss::Absent => {}
        Miss::Expired => counters.get_expired.count(),
        Miss::Flushed => counters.get_flushed.count(),
    }
}
