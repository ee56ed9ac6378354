//! The change queue: dirty keys from the workers to the replication thread, and back the answers
//! for which clients wait.
//!
//! It is one bounded channel, and neither end ever blocks. In `semi-sync` mode a worker hands over
//! the writes of all turns of one poll as one group ([`Commits`]) and wakes the replication thread
//! if it is parked. In `async` mode there is one `try_send` per turn, and that thread empties the
//! channel at most once a millisecond: a worker wakes it only when it is parked, or when 64 KiB of
//! keys or half a channel of batches wait, for waking it for each batch doubled the CPU time of a
//! set. While the link is down, batches are dropped, because the next link begins with a sync.

mod answers;
mod asks;
mod commits;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;

pub use answers::{WorkerAnswers, WriteTotals};
use asks::AskQueue;
pub use asks::AskedKeys;
pub use commits::{Commit, Commits};

use crate::limits::{
    CHANGE_QUEUE_KEYS_SHARE, CHANGE_QUEUE_PROMOTIONS_MAX, CHANGE_QUEUE_SPARES_MAX,
    CHANGE_QUEUE_WAKE_BATCHES, CHANGE_QUEUE_WAKE_KEYS, sizes,
};
use crate::replication::bucket_set::BucketSet;
use crate::replication::link::{Answer, Ticket, WriteGroup};
use crate::replication::sync::{
    AtomicBool, AtomicU64, AtomicUsize, Notify, Ordering, Receiver, Sender, bounded, fence,
};
use crate::store::bucket_of;

/// No number of waiting keys wakes the replication thread: it is running.
const AWAKE: usize = usize::MAX;

/// The workers' end. Clones share one queue.
#[derive(Clone, Debug)]
pub struct ChangeSender {
    batches: Sender<Batch>,
    spares: Receiver<Vec<u64>>,
    promotions: Sender<u64>,
    shared: Arc<Shared>,
}

/// The replication thread's end.
#[derive(Debug)]
pub struct ChangeReceiver {
    batches: Receiver<Batch>,
    spares: Sender<Vec<u64>>,
    promotions: Receiver<u64>,
    shared: Arc<Shared>,
    /// Keys that were taken and still count as waiting.
    taken: Cell<usize>,
}

/// Keys that were handed over together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Their slots, at most 1,024.
    pub keys: Vec<u64>,
    /// For whom the partner is to be asked, once it has these keys and those before them.
    ticket: Option<Ticket>,
    has_flushed: bool,
}

#[derive(Debug)]
struct Shared {
    link_up: AtomicBool,
    /// Clients wait for the partner.
    waited_for: AtomicBool,
    /// By worker; empty in `async` mode.
    workers: Vec<Arc<WorkerAnswers>>,
    overflowed: AtomicBool,
    /// A bit for each bucket of keys of which a batch was dropped.
    overflowed_buckets: Box<[AtomicU64]>,
    waiting_keys: AtomicUsize,
    /// The most keys that may wait; a batch beyond it is dropped.
    keys_max: usize,
    /// A worker that sees more keys than this, or [`CHANGE_QUEUE_WAKE_BATCHES`] batches, wakes the
    /// replication thread, unless this is [`AWAKE`].
    wake_above_keys: AtomicUsize,
    wake: Notify,
    asks: AskQueue,
}

/// Both ends of the queue of a node whose `-m` is `limit_bytes`, and where so many workers wait for
/// the partner: none in `async` mode. The link is down at first.
#[must_use]
pub fn change_queue(limit_bytes: u64, waiting_workers: usize) -> (ChangeSender, ChangeReceiver) {
    let (batches, batches_out) = bounded(sizes().change_queue_batches_max);
    let (spares, spares_out) = bounded(CHANGE_QUEUE_SPARES_MAX);
    let (promotions, promotions_out) = bounded(CHANGE_QUEUE_PROMOTIONS_MAX);
    let shared = Arc::new(Shared {
        link_up: AtomicBool::new(false),
        waited_for: AtomicBool::new(false),
        workers: (0..waiting_workers).map(|_| Arc::default()).collect(),
        overflowed: AtomicBool::new(false),
        overflowed_buckets: BucketSet::default().words().map(AtomicU64::new).collect(),
        waiting_keys: AtomicUsize::new(0),
        keys_max: keys_max(limit_bytes),
        wake_above_keys: AtomicUsize::new(AWAKE),
        wake: Notify::new(),
        asks: AskQueue::default(),
    });
    let sender = ChangeSender {
        batches,
        spares: spares_out,
        promotions,
        shared: Arc::clone(&shared),
    };
    let receiver = ChangeReceiver {
        batches: batches_out,
        spares,
        promotions: promotions_out,
        shared,
        taken: Cell::new(0),
    };
    (sender, receiver)
}

/// The most keys that may wait on a node with this `-m`: its share of memory, at 8 bytes a key.
fn keys_max(limit_bytes: u64) -> usize {
    let keys = limit_bytes / CHANGE_QUEUE_KEYS_SHARE / 8;
    let keys = usize::try_from(keys).unwrap_or(usize::MAX);
    let sizes = sizes();
    keys.clamp(
        sizes.change_queue_keys_min,
        sizes.change_queue_batches_max * sizes.batch_keys_max,
    )
}

impl Shared {
    #[cold]
    fn note_overflow(&self, keys: &[u64]) {
        for &slot in keys {
            let (word, bit) = BucketSet::place(usize::from(bucket_of(slot)));
            self.overflowed_buckets[word].fetch_or(bit, Ordering::Relaxed);
        }
        // After the buckets: who sees the flag sees them.
        self.overflowed.store(true, Ordering::Release);
    }
}

impl Batch {
    /// What the link is told of it.
    pub fn group(&self) -> WriteGroup<'_> {
        WriteGroup {
            slots: &self.keys,
            ticket: self.ticket,
            has_flushed: self.has_flushed,
        }
    }
}

impl ChangeSender {
    /// The groups of a worker, from 0, if its clients wait for the partner: for so long at most.
    #[must_use]
    pub fn commits(&self, worker: usize, ack_timeout_ms: u64) -> Option<Commits> {
        let answers = Arc::clone(self.shared.workers.get(worker)?);
        let worker = u16::try_from(worker).ok()?;
        Some(Commits::new(self.clone(), worker, answers, ack_timeout_ms))
    }

    /// How the writes of clients were answered.
    #[must_use]
    pub fn write_totals(&self) -> WriteTotals {
        answers::totals(&self.shared.workers)
    }

    fn is_waited_for(&self) -> bool {
        self.shared.waited_for.load(Ordering::Acquire)
    }

    /// Sends a group of writes. False if some of it was dropped, or there is no link.
    fn send_group(&self, keys: &[u64], has_flushed: bool, ticket: Ticket) -> bool {
        if !self.shared.link_up.load(Ordering::Acquire) {
            return false;
        }
        let batch_keys_max = sizes().batch_keys_max;
        let (last, before) = match keys.len() {
            0 => (keys, keys),
            len => {
                let last_at = (len - 1) / batch_keys_max * batch_keys_max;
                (&keys[last_at..], &keys[..last_at])
            }
        };
        let mut is_sent = true;
        for keys in before.chunks(batch_keys_max) {
            is_sent &= self.send_batch(keys, None, false);
        }
        is_sent &= self.send_batch(last, Some(ticket), has_flushed);
        // After the fence in `send_batch`, which pairs with the one in `set_link_up`: if the link
        // ended meanwhile, either it has answered the ticket, or this worker sees that it is down.
        is_sent && self.shared.link_up.load(Ordering::Acquire)
    }

    /// Sends the slots that a turn has written, and empties `dirty`. Never blocks: if the queue is
    /// full, the keys are dropped and left to a sync.
    pub fn send(&self, dirty: &mut Vec<u64>) {
        if !dirty.is_empty() && self.shared.link_up.load(Ordering::Acquire) {
            for keys in dirty.chunks(sizes().batch_keys_max) {
                self.send_batch(keys, None, false);
            }
        }
        dirty.clear();
    }

    /// Sends slots that clients read, as many as fit: they are only hints, so nobody is woken.
    pub fn send_promotions(&self, slots: &mut Vec<u64>) {
        if self.shared.link_up.load(Ordering::Acquire) {
            for slot in slots.iter() {
                if self.promotions.try_send(*slot).is_err() {
                    break;
                }
            }
        }
        slots.clear();
    }

    /// Keys in the queue, and those taken but not yet counted by the link.
    #[must_use]
    pub fn waiting_keys(&self) -> usize {
        self.shared.waiting_keys.load(Ordering::Acquire)
    }

    /// Whether a batch was dropped since the last [`ChangeReceiver::take_overflow`].
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.shared.overflowed.load(Ordering::Acquire)
    }

    /// Wakes the replication thread if it is parked: something other than a key has changed.
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        let above = &self.shared.wake_above_keys;
        if above
            .compare_exchange(0, AWAKE, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            self.shared.wake.notify_one();
        }
    }

    /// False if the queue is full: the batch is dropped.
    fn send_batch(&self, keys: &[u64], ticket: Option<Ticket>, has_flushed: bool) -> bool {
        let mut spare = self.spares.try_recv().unwrap_or_default();
        spare.extend_from_slice(keys);
        let batch = Batch {
            keys: spare,
            ticket,
            has_flushed,
        };
        let shared = &*self.shared;
        let waiting = shared.waiting_keys.fetch_add(keys.len(), Ordering::Relaxed) + keys.len();
        if waiting > shared.keys_max || self.batches.try_send(batch).is_err() {
            shared.note_overflow(keys);
            shared.waiting_keys.fetch_sub(keys.len(), Ordering::Release);
            // The receiver may have parked before it could see the overflow.
            self.wake();
            return false;
        }
        // Pairs with the fence in `park`: either the receiver sees the batch, or this worker sees
        // it parked.
        fence(Ordering::SeqCst);
        let above = shared.wake_above_keys.load(Ordering::Relaxed);
        let is_due = || waiting > above || self.batches.len() >= CHANGE_QUEUE_WAKE_BATCHES;
        if above != AWAKE && is_due() {
            let order = Ordering::Relaxed;
            // Of several workers, only the one that changes it wakes the thread.
            if shared
                .wake_above_keys
                .compare_exchange(above, AWAKE, order, order)
                .is_ok()
            {
                shared.wake.notify_one();
            }
        }
        true
    }
}

impl ChangeReceiver {
    /// Opens or closes the queue. It must be opened before the sync reads its first entry, so that
    /// each write is either queued or seen by the sync.
    pub fn set_link_up(&self, up: bool) {
        self.shared.link_up.store(up, Ordering::Release);
        if !up {
            self.set_waited_for(false);
            // Pairs with the one in `send_batch`, see `send_group`.
            fence(Ordering::SeqCst);
            while let Some(batch) = self.take() {
                self.answer(batch.ticket.map(Answer::unprotected));
                self.give_back(batch);
            }
            self.mark_taken();
            while self.promotions.try_recv().is_ok() {}
            self.take_overflow();
        }
    }

    /// Whether clients wait for the partner from now on.
    pub fn set_waited_for(&self, waited_for: bool) {
        self.shared.waited_for.store(waited_for, Ordering::Release);
    }

    /// Whether clients wait for the partner.
    pub fn is_waited_for(&self) -> bool {
        self.shared.waited_for.load(Ordering::Acquire)
    }

    /// Gives answers to the workers that wait for them, and wakes each once.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        let mut woken = 0u64;
        let workers = &self.shared.workers;
        for answer in answers {
            let at = usize::from(answer.ticket.worker);
            if let Some(worker) = workers.get(at) {
                worker.push(answer);
                woken |= 1 << (at % 64);
            }
        }
        for (at, worker) in workers.iter().enumerate() {
            if woken & (1 << (at % 64)) != 0 {
                worker.wake();
            }
        }
    }

    /// Takes the oldest batch. Its keys count as waiting until [`Self::mark_taken`].
    pub fn take(&self) -> Option<Batch> {
        let batch = self.batches.try_recv().ok()?;
        self.taken.set(self.taken.get() + batch.keys.len());
        Some(batch)
    }

    /// Stops counting taken keys as waiting. Called once the link counts them: a reader that adds
    /// up both numbers may count a key twice for a moment, but never misses one.
    pub fn mark_taken(&self) {
        let keys = self.taken.take();
        self.shared.waiting_keys.fetch_sub(keys, Ordering::Release);
    }

    /// Gives the memory of a batch back to the workers.
    pub fn give_back(&self, batch: Batch) {
        let mut keys = batch.keys;
        keys.clear();
        // If there are enough spares, this one is freed.
        let _ = self.spares.try_send(keys);
    }

    /// Bytes of the keys that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.shared.waiting_keys.load(Ordering::Acquire) * size_of::<u64>()
    }

    /// Appends the promotions that wait.
    pub fn drain_promotions(&self, slots: &mut Vec<u64>) {
        slots.extend(self.promotions.try_iter().take(CHANGE_QUEUE_PROMOTIONS_MAX));
    }

    /// The buckets of the keys that were dropped since the last call, if any were.
    pub fn take_overflow(&self) -> Option<BucketSet> {
        // A key that is dropped from here on sets the flag again.
        if !self.shared.overflowed.swap(false, Ordering::AcqRel) {
            return None;
        }
        let words = self.shared.overflowed_buckets.iter();
        Some(BucketSet::of_words(
            words.map(|word| word.swap(0, Ordering::Relaxed)),
        ))
    }

    /// Whether no batch waits and none was dropped since the last [`Self::take_overflow`].
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && !self.shared.overflowed.load(Ordering::Acquire)
    }

    /// The caller polls again within a millisecond: workers wake it only if much waits.
    pub fn poll_soon(&self) {
        self.shared
            .wake_above_keys
            .store(CHANGE_QUEUE_WAKE_KEYS - 1, Ordering::Relaxed);
    }

    /// The caller sleeps until a worker wakes it. False if a batch has just arrived: then the
    /// caller stays awake.
    pub fn park(&self) -> bool {
        self.shared.wake_above_keys.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let parked = self.is_empty() && !self.has_asks();
        if !parked {
            self.shared.wake_above_keys.store(AWAKE, Ordering::Relaxed);
        }
        parked
    }

    /// Waits until a worker wakes the caller.
    pub async fn notified(&self) {
        self.shared.wake.notified().await;
    }
}
