//! Answers from the replication thread to the workers.

use std::sync::Arc;

use crate::replication::link::Answer;
use crate::replication::sync::{AtomicU64, Mutex, Notify, Ordering};

/// What one worker has been told, and has counted.
#[derive(Debug, Default)]
pub struct WorkerAnswers {
    arrived: Mutex<Vec<Answer>>,
    arrival: Notify,
    pub(super) counts: WriteCounts,
}

/// How the writes of one worker were answered, since the node's start. Only that worker writes
/// them.
#[derive(Debug, Default)]
pub(super) struct WriteCounts {
    pub(super) protected: AtomicU64,
    pub(super) unprotected: AtomicU64,
    pub(super) late: AtomicU64,
}

/// How writes were answered, since the node's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteTotals {
    /// The partner's table held each before its client was answered.
    pub protected: u64,
    /// The others: the partner was late, refused one, was not there, or was not to be waited for.
    pub unprotected: u64,
    /// Of the unprotected, those whose client waited for the whole timeout.
    pub late: u64,
}

impl WorkerAnswers {
    /// Gives the worker answers; it is woken by [`Self::wake`].
    pub(super) fn push(&self, answer: Answer) {
        self.arrived.lock().push(answer);
    }

    /// Wakes the worker.
    pub fn wake(&self) {
        self.arrival.notify_one();
    }

    /// Moves what has arrived into `answers`, which must be empty.
    pub(super) fn take(&self, answers: &mut Vec<Answer>) {
        std::mem::swap(&mut *self.arrived.lock(), answers);
    }

    /// Waits until the worker is woken.
    pub async fn arrived(&self) {
        self.arrival.notified().await;
    }
}

/// Adds up the counts of all workers.
pub(super) fn totals(workers: &[Arc<WorkerAnswers>]) -> WriteTotals {
    let sum = |count: fn(&WriteCounts) -> &AtomicU64| {
        let counts = workers.iter().map(|worker| count(&worker.counts));
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    };
    WriteTotals {
        protected: sum(|counts| &counts.protected),
        unprotected: sum(|counts| &counts.unprotected),
        late: sum(|counts| &counts.late),
    }
}
