//! The hand-over: dirty keys from the workers to the replication thread.
//!
//! One bounded channel, one `try_send` per executed batch, nobody waits. A link that is busy
//! drains at most once a millisecond; a worker pays for waking it only when it is parked, or when
//! 64 KiB of keys or half a channel of batches wait (waking it per batch doubled the CPU of a set).
//! While the link is down, batches are dropped: the pass that begins when it comes up carries
//! everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::Notify;

use crate::limits::{
    BATCH_KEYS_MAX, HANDOVER_BATCHES_MAX, HANDOVER_KEYS_MIN, HANDOVER_KEYS_SHARE,
    HANDOVER_PROMOTIONS_MAX, HANDOVER_SPARES_MAX, HANDOVER_WAKE_BATCHES, HANDOVER_WAKE_KEYS,
};

/// No number of waiting keys wakes the link: it is at work and looks by itself.
const AWAKE: usize = usize::MAX;

/// The workers' end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handover {
    batches: Sender<Vec<u64>>,
    spares: Receiver<Vec<u64>>,
    promotions: Sender<u64>,
    shared: Arc<Shared>,
}

/// The link's end.
#[derive(Debug)]
pub struct HandoverEnd {
    batches: Receiver<Vec<u64>>,
    spares: Sender<Vec<u64>>,
    promotions: Receiver<u64>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link_up: AtomicBool,
    overflowed: AtomicBool,
    waiting_keys: AtomicUsize,
    /// More keys than this do not wait: they overflow.
    keys_max: usize,
    /// A worker that sees more keys waiting than this wakes the link, and so does one that sees
    /// [`HANDOVER_WAKE_BATCHES`] batches, unless this is [`AWAKE`].
    wake_above_keys: AtomicUsize,
    wake: Notify,
}

/// Both ends of a hand-over of a node whose `-m` is `limit_bytes`; the link is down at first.
#[must_use]
pub fn handover(limit_bytes: u64) -> (Handover, HandoverEnd) {
    let (batches, batches_out) = bounded(HANDOVER_BATCHES_MAX);
    let (spares, spares_out) = bounded(HANDOVER_SPARES_MAX);
    let (promotions, promotions_out) = bounded(HANDOVER_PROMOTIONS_MAX);
    let shared = Arc::new(Shared {
        link_up: AtomicBool::new(false),
        overflowed: AtomicBool::new(false),
        waiting_keys: AtomicUsize::new(0),
        keys_max: keys_max(limit_bytes),
        wake_above_keys: AtomicUsize::new(AWAKE),
        wake: Notify::new(),
    });
    let near = Handover {
        batches,
        spares: spares_out,
        promotions,
        shared: Arc::clone(&shared),
    };
    let far = HandoverEnd {
        batches: batches_out,
        spares,
        promotions: promotions_out,
        shared,
    };
    (near, far)
}

/// Keys that may wait on a node with this `-m`: its share of memory, 8 bytes each.
fn keys_max(limit_bytes: u64) -> usize {
    let keys = limit_bytes / HANDOVER_KEYS_SHARE / 8;
    let keys = usize::try_from(keys).unwrap_or(usize::MAX);
    keys.clamp(HANDOVER_KEYS_MIN, HANDOVER_BATCHES_MAX * BATCH_KEYS_MAX)
}

impl Handover {
    /// Hands over the slots a turn has written and leaves `dirty` empty. Never waits: what finds no
    /// room is dropped and left to a pass.
    pub fn hand_over(&self, dirty: &mut Vec<u64>) {
        if !dirty.is_empty() && self.shared.link_up.load(Ordering::Acquire) {
            for keys in dirty.chunks(BATCH_KEYS_MAX) {
                self.send(keys);
            }
        }
        dirty.clear();
    }

    /// Tells the partner which slots clients hit here; as many as fit, whenever the link looks.
    pub fn promoted(&self, slots: &mut Vec<u64>) {
        if self.shared.link_up.load(Ordering::Acquire) {
            for slot in slots.iter() {
                if self.promotions.try_send(*slot).is_err() {
                    break;
                }
            }
        }
        slots.clear();
    }

    /// Keys handed over that the link does not answer for yet.
    #[must_use]
    pub fn waiting_keys(&self) -> usize {
        self.shared.waiting_keys.load(Ordering::Acquire)
    }

    /// Whether a batch was dropped and the link has not looked since.
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.shared.overflowed.load(Ordering::Acquire)
    }

    /// Wakes the link if it is parked: something other than a key has changed.
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

    fn send(&self, keys: &[u64]) {
        let mut batch = self.spares.try_recv().unwrap_or_default();
        batch.extend_from_slice(keys);
        let shared = &*self.shared;
        let waiting = shared.waiting_keys.fetch_add(keys.len(), Ordering::Relaxed) + keys.len();
        if waiting > shared.keys_max || self.batches.try_send(batch).is_err() {
            shared.overflowed.store(true, Ordering::Release);
            shared.waiting_keys.fetch_sub(keys.len(), Ordering::Release);
            return;
        }
        // Pairs with the fence in `park`: either the link sees the batch, or we see it parked.
        fence(Ordering::SeqCst);
        let above = shared.wake_above_keys.load(Ordering::Relaxed);
        let is_due = || waiting > above || self.batches.len() >= HANDOVER_WAKE_BATCHES;
        if above != AWAKE && is_due() {
            let order = Ordering::Relaxed;
            // Of several workers, the one that changes it makes the call.
            if shared
                .wake_above_keys
                .compare_exchange(above, AWAKE, order, order)
                .is_ok()
            {
                shared.wake.notify_one();
            }
        }
    }
}

impl HandoverEnd {
    /// Opens or shuts the hand-over. Opened before the link's pass reads its first entry, so that
    /// a write is either handed over or seen by the pass.
    pub fn set_link_up(&self, up: bool) {
        self.shared.link_up.store(up, Ordering::Release);
        if !up {
            while let Some(batch) = self.take() {
                self.answer_for(batch.len());
                self.give_back(batch);
            }
            while self.promotions.try_recv().is_ok() {}
            self.take_overflow();
        }
    }

    /// The oldest batch that waits. Its keys count as waiting until [`Self::answer_for`].
    pub fn take(&self) -> Option<Vec<u64>> {
        self.batches.try_recv().ok()
    }

    /// So many keys that were taken show in the link's own numbers from now on: whoever adds up
    /// both may count them twice for a moment, but never misses them.
    pub fn answer_for(&self, keys: usize) {
        self.shared.waiting_keys.fetch_sub(keys, Ordering::Release);
    }

    /// Gives a batch back, for its memory to be used again.
    pub fn give_back(&self, mut batch: Vec<u64>) {
        batch.clear();
        // A spare too many is simply freed.
        let _ = self.spares.try_send(batch);
    }

    /// Bytes of the keys that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.shared.waiting_keys.load(Ordering::Acquire) * size_of::<u64>()
    }

    /// Passes on the promotions that wait.
    pub fn drain_promotions(&self, slots: &mut Vec<u64>) {
        slots.extend(self.promotions.try_iter().take(HANDOVER_PROMOTIONS_MAX));
    }

    /// Whether a batch was dropped since the last look.
    pub fn take_overflow(&self) -> bool {
        self.shared.overflowed.swap(false, Ordering::AcqRel)
    }

    /// Whether nothing waits and nothing was dropped since the last look.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && !self.shared.overflowed.load(Ordering::Acquire)
    }

    /// The link looks again by itself within a millisecond; it is woken only if much waits.
    pub fn nap(&self) {
        self.shared
            .wake_above_keys
            .store(HANDOVER_WAKE_KEYS - 1, Ordering::Relaxed);
    }

    /// The link goes to sleep until it is woken. False if something came in the meantime: then it
    /// stays awake.
    pub fn park(&self) -> bool {
        self.shared.wake_above_keys.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let parked = self.is_empty();
        if !parked {
            self.shared.wake_above_keys.store(AWAKE, Ordering::Relaxed);
        }
        parked
    }

    /// Waits for the call of a worker.
    pub async fn woken(&self) {
        self.shared.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LIMIT_BYTES: u64 = 1 << 30;

    fn up() -> (Handover, HandoverEnd) {
        let (near, far) = handover(LIMIT_BYTES);
        far.set_link_up(true);
        (near, far)
    }

    fn drained(far: &HandoverEnd) -> Vec<u64> {
        let mut all = Vec::new();
        while let Some(batch) = far.take() {
            assert!(batch.len() <= BATCH_KEYS_MAX);
            far.answer_for(batch.len());
            all.extend_from_slice(&batch);
            far.give_back(batch);
        }
        all
    }

    fn is_woken(far: &HandoverEnd) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(far.woken()).poll(&mut context).is_ready()
    }

    #[test]
    fn keys_arrive_in_order_and_in_bounded_batches() {
        let (near, far) = up();
        let mut dirty: Vec<u64> = (0..3000).collect();
        near.hand_over(&mut dirty);
        assert!(dirty.is_empty());
        assert_eq!(drained(&far), (0..3000).collect::<Vec<u64>>());
    }

    #[test]
    fn a_full_channel_drops_and_tells_instead_of_waiting() {
        let (near, far) = up();
        for key in 0..HANDOVER_BATCHES_MAX as u64 {
            near.hand_over(&mut vec![key]);
        }
        assert!(!far.take_overflow());
        near.hand_over(&mut vec![7]);
        assert!(far.take_overflow() && !far.take_overflow());
        assert_eq!(drained(&far).len(), HANDOVER_BATCHES_MAX);
        near.hand_over(&mut vec![8]);
        assert_eq!(drained(&far), [8]);
    }

    /// A million keys could wait whatever `-m` was, and as much memory again was kept for the next:
    /// 16 MiB beyond a `-m 64`.
    #[test]
    fn waiting_keys_take_no_more_than_a_share_of_memory() {
        for limit_bytes in [1 << 20, 64 << 20, 1 << 30, 1 << 40] {
            let (near, far) = handover(limit_bytes);
            far.set_link_up(true);
            let mut handed_over = 0;
            while !far.take_overflow() {
                near.hand_over(&mut vec![7; BATCH_KEYS_MAX]);
                handed_over += BATCH_KEYS_MAX;
            }
            let waiting = near.waiting_keys();
            assert_eq!(waiting, handed_over - BATCH_KEYS_MAX);
            let most = (limit_bytes / HANDOVER_KEYS_SHARE / 8) as usize;
            assert!(
                waiting <= most.max(HANDOVER_KEYS_MIN),
                "{limit_bytes}: {waiting}"
            );
            assert!(
                waiting > most.min(1 << 20) - BATCH_KEYS_MAX,
                "{limit_bytes}: {waiting}"
            );
            assert_eq!(far.waiting_bytes(), 8 * waiting);
            drained(&far);
            let spares: usize = far.spares.len();
            assert!(spares <= HANDOVER_SPARES_MAX, "{spares} kept");
        }
    }

    #[test]
    fn without_a_link_nothing_is_kept_and_nothing_overflows() {
        let (near, far) = handover(LIMIT_BYTES);
        for key in 0..2 * HANDOVER_BATCHES_MAX as u64 {
            near.hand_over(&mut vec![key]);
            near.promoted(&mut vec![key]);
        }
        assert!(far.is_empty() && !far.take_overflow());
        far.set_link_up(true);
        near.hand_over(&mut vec![1]);
        near.promoted(&mut vec![2]);
        far.set_link_up(false);
        let mut promoted = Vec::new();
        far.drain_promotions(&mut promoted);
        assert!(far.is_empty() && promoted.is_empty());
    }

    /// `stats replication` said that nothing waits between the link's taking a key and its next
    /// look at its own numbers, and left out what was not taken: it said so of most keys.
    #[test]
    fn keys_wait_until_the_link_answers_for_them() {
        let (near, far) = up();
        near.hand_over(&mut vec![1, 2, 3]);
        assert_eq!(near.waiting_keys(), 3);
        let batch = far.take().unwrap();
        assert_eq!(near.waiting_keys(), 3);
        far.answer_for(batch.len());
        assert_eq!(near.waiting_keys(), 0);
        near.hand_over(&mut vec![4]);
        far.set_link_up(false);
        assert_eq!(near.waiting_keys(), 0);
    }

    #[test]
    fn only_a_parked_link_is_woken_and_only_once() {
        let (near, far) = up();
        near.hand_over(&mut vec![1]);
        assert!(!is_woken(&far), "awake, it looks by itself");
        assert!(!far.park(), "something waits");
        drained(&far);
        assert!(far.park());
        near.hand_over(&mut vec![1]);
        near.hand_over(&mut vec![2]);
        assert!(is_woken(&far) && !is_woken(&far));
    }

    #[test]
    fn much_that_waits_ends_a_nap() {
        let (near, far) = up();
        far.nap();
        near.hand_over(&mut vec![7; HANDOVER_WAKE_KEYS - 1]);
        assert!(!is_woken(&far), "a nap ends by itself");
        near.hand_over(&mut vec![7]);
        assert!(is_woken(&far));
    }

    /// Batches of one key each, as unpipelined sets make them, filled the channel before their keys
    /// were enough to end the link's nap. The overflow cost a pass over the whole table, on a
    /// healthy pair at 61,000 sets a second.
    #[test]
    fn many_small_batches_end_a_nap_before_the_channel_is_full() {
        let (near, far) = up();
        far.nap();
        let mut seen = 0;
        for key in 0..=HANDOVER_BATCHES_MAX as u64 {
            near.hand_over(&mut vec![key]);
            if is_woken(&far) {
                seen += drained(&far).len();
                far.nap();
            }
        }
        assert!(!far.take_overflow(), "the link was woken too late");
        assert_eq!(seen + drained(&far).len(), HANDOVER_BATCHES_MAX + 1);
    }

    /// A lost call would leave keys unsent until the next heartbeat: thousands of races of a
    /// worker that sends against a link that parks.
    #[test]
    fn no_call_is_lost() {
        let (near, far) = up();
        let keys = 20_000;
        let worker = thread::spawn(move || {
            for key in 0..keys {
                near.hand_over(&mut vec![key]);
                while near.shared.waiting_keys.load(Ordering::Relaxed) > 500 {
                    thread::yield_now();
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut seen = 0;
        runtime.block_on(async {
            while seen < keys {
                seen += drained(&far).len() as u64;
                if seen < keys && far.park() {
                    far.woken().await;
                }
            }
        });
        worker.join().unwrap();
        assert_eq!(seen, keys);
    }
}
