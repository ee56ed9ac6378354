//! What commands share during one turn of a connection.

use crate::limits::{COPIED_BYTES_PER_SENT, TURN_OUTPUT_BYTES};
use crate::stats::{ClassCounts, Prefixes, WorkerCounters};
use crate::store::{ItemHead, Miss, NoRoom, Now, OpContext, PendingItem, Store, Timestamp};

/// The store, the time, the changes so far, and the counters of this worker.
#[derive(Debug)]
pub struct CommandContext<'t> {
    /// The node's items.
    pub store: &'t Store,
    /// The time and the changes of this turn.
    pub op: &'t mut OpContext,
    /// Written by this worker only.
    pub counters: &'t WorkerCounters,
    /// Counts keys by their prefix while `stats detail` is on.
    pub prefixes: &'t Prefixes,
    /// The cost of work that produces no output, in bytes whose sending would take as long.
    pub spent_bytes: usize,
    /// The turn ends before the next request once so many bytes are to be sent.
    pub output_bytes_max: usize,
}

impl<'t> CommandContext<'t> {
    /// Carries out a change again, as long as it is refused because the machine has no memory for
    /// an item; each time after evicting others.
    pub(super) fn retry<R>(
        &mut self,
        attempt: impl FnMut(&mut Self) -> R,
        is_refused: impl Fn(&R) -> bool,
    ) -> R {
        let store = self.store;
        store.retry(self, |ctx| ctx.op, attempt, is_refused)
    }

    /// Allocates an item to be filled within this turn.
    pub(super) fn pending_item(
        &mut self,
        key: &[u8],
        head: &ItemHead,
        value_len: usize,
    ) -> Result<PendingItem<'t>, NoRoom> {
        let store = self.store;
        self.retry(|_| store.pending_item(key, head, value_len), Result::is_err)
    }

    /// The time of this turn.
    pub fn now(&self) -> Now {
        self.op.now
    }

    /// Charges the copying of a value into a new item to the turn's budget.
    pub(super) fn count_copied(&mut self, bytes: usize) {
        self.spent_bytes += bytes / COPIED_BYTES_PER_SENT;
    }

    /// Ends the turn after this request, which may visit the whole store or read files.
    pub fn end_turn(&mut self) {
        self.spent_bytes += TURN_OUTPUT_BYTES;
    }

    /// The CAS unique of an item just put: the client's own or its timestamp; 0 if CAS is disabled.
    /// An item that has expired already may not have been put; it gets a new timestamp.
    pub(super) fn cas_of(&self, own: Option<u64>, timestamp: Option<Timestamp>) -> u64 {
        if !self.store.has_cas() {
            return 0;
        }
        let fresh = || self.store.hybrid_clock().next(self.now());
        own.unwrap_or_else(|| timestamp.unwrap_or_else(fresh).get())
    }

    /// The counters of the slab class of the item that was last looked up.
    pub(super) fn class_counts(&self) -> &ClassCounts {
        self.counters.class(self.op.found_class)
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
