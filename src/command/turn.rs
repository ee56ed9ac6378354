//! What a command works with during one turn of a connection.

use crate::stats::WorkerCounters;
use crate::store::{Batch, Miss, Now, Store};

/// The store, the moment, the changes so far, and the counters of this worker.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The node's items.
    pub store: &'t Store,
    /// The moment and the changes of this turn.
    pub batch: &'t mut Batch,
    /// Written by this worker only.
    pub counters: &'t WorkerCounters,
}

impl Turn<'_> {
    /// The moment of the turn.
    pub fn now(&self) -> Now {
        self.batch.now
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
