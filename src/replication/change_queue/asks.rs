//! Clients that wait for the partner's answer: their keys go to the link, its word comes back.

use super::{ChangeReceiver, ChangeSender};
use crate::limits::ASK_QUEUE_MAX;
use crate::replication::sync::{AtomicU64, Ordering, Receiver, Sender, bounded, oneshot};

/// No ask is unanswered since the partner last answered a heartbeat.
const NOT_PAUSED: u64 = u64::MAX;

/// Keys that a client waits for.
#[derive(Debug)]
pub struct AskedKeys {
    /// Their slots.
    pub slots: Vec<u64>,
    /// Told whether the partner's records of them are in the table.
    pub answer: oneshot::Sender<bool>,
}

/// Both ends of the queue of such keys.
#[derive(Debug)]
pub(super) struct AskQueue {
    waiting: Sender<AskedKeys>,
    taken: Receiver<AskedKeys>,
    /// When the last ask was given up, in boot-time milliseconds, or [`NOT_PAUSED`].
    paused_ms: AtomicU64,
    unanswered: AtomicU64,
}

impl Default for AskQueue {
    fn default() -> Self {
        let (waiting, taken) = bounded(ASK_QUEUE_MAX);
        Self {
            waiting,
            taken,
            paused_ms: AtomicU64::new(NOT_PAUSED),
            unanswered: AtomicU64::new(0),
        }
    }
}

impl ChangeSender {
    /// Asks the partner for keys, at most 1,024. `None`: it is not asked now, because it has not
    /// answered an ask and no heartbeat since, or because too many wait.
    #[must_use]
    pub fn ask(&self, slots: Vec<u64>) -> Option<oneshot::Receiver<bool>> {
        let asks = &self.shared.asks;
        if asks.paused_ms.load(Ordering::Acquire) != NOT_PAUSED {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        asks.waiting.try_send(AskedKeys { slots, answer }).ok()?;
        self.wake();
        Some(answered)
    }

    /// The partner has not answered in time: it is not asked again before it has answered a
    /// heartbeat.
    pub fn pause_asks(&self, now_ms: u64) {
        self.shared.asks.paused_ms.store(now_ms, Ordering::Release);
    }

    /// A command was carried out, or not answered, without the partner's word.
    pub fn count_unanswered(&self) {
        self.shared.asks.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// Commands that were carried out, or not answered, without the partner's word.
    #[must_use]
    pub fn asks_unanswered(&self) -> u64 {
        self.shared.asks.unanswered.load(Ordering::Relaxed)
    }
}

impl ChangeReceiver {
    /// The keys that the next client waits for.
    pub fn take_ask(&self) -> Option<AskedKeys> {
        self.shared.asks.taken.try_recv().ok()
    }

    /// Whether clients wait for their keys to be taken.
    pub fn has_asks(&self) -> bool {
        !self.shared.asks.taken.is_empty()
    }

    /// The partner has answered a heartbeat that was sent then: it may be asked again if it failed
    /// to answer before that.
    pub fn heartbeat_answered(&self, sent_ms: u64) {
        let paused_ms = &self.shared.asks.paused_ms;
        let seen = paused_ms.load(Ordering::Acquire);
        if seen < sent_ms {
            // If an ask was given up meanwhile, that counts.
            let order = Ordering::AcqRel;
            let _ = paused_ms.compare_exchange(seen, NOT_PAUSED, order, Ordering::Relaxed);
        }
    }
}
