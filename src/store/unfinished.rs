//! Unfinished input: values and long lines of which a part has arrived. This bounds the memory they
//! hold together, and queues the inputs that wait for memory.
//!
//! An input counts with the memory allocated for it. It may continue while the rest of it would fit
//! below a limit. One input at a time may continue beyond that, up to a second limit (the
//! overdraft), so that inputs are completed one after the other when memory is short. The others
//! wait. An input that has brought no bytes yet needs little, and gets no overdraft.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use crate::limits::{UNFINISHED_AMPLE_PERCENT, UNFINISHED_SMALL_PERCENT};

/// A waiter registers and then checks again; a thread that frees memory counts it and then looks
/// for waiters. With this ordering at least one of the two sees the other.
pub(super) const SEQ: Ordering = Ordering::SeqCst;

/// All unfinished input of a node.
#[derive(Debug, Default)]
pub(crate) struct UnfinishedInputs {
    pub(super) bytes: AtomicU64,
    /// An input has the overdraft.
    pub(super) overdraft_taken: AtomicBool,
    waiting: AtomicUsize,
    waiters: Mutex<Vec<Waiter>>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    /// Bytes that it needs in addition.
    pub(super) more_bytes: u64,
    pub(super) percent: u64,
    pub(super) waker: Waker,
}

impl UnfinishedInputs {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(SEQ)
    }

    /// Whether there is so much memory left that buffers may be large.
    pub(crate) fn is_ample(&self, more_bytes: u64, budget_bytes: u64) -> bool {
        self.bytes() + more_bytes <= part(budget_bytes, UNFINISHED_AMPLE_PERCENT)
    }

    pub(super) fn enter(&self, waiter: Waiter) {
        let mut waiters = self.waiters.lock();
        waiters.retain(|other| !other.waker.will_wake(&waiter.waker));
        waiters.push(waiter);
        self.waiting.store(waiters.len(), SEQ);
    }

    pub(super) fn leave(&self, waker: &Waker) {
        let mut waiters = self.waiters.lock();
        waiters.retain(|other| !other.waker.will_wake(waker));
        self.waiting.store(waiters.len(), SEQ);
    }

    /// Wakes the inputs that fit now, and the first one that does not if the overdraft is free.
    pub(super) fn wake_fitting(&self, budget_bytes: u64) {
        if self.waiting.load(SEQ) == 0 {
            return;
        }
        let mut bytes = self.bytes();
        let mut overdraft_taken = self.overdraft_taken.load(SEQ);
        self.wake_if(|waiter| {
            if bytes + waiter.more_bytes <= part(budget_bytes, waiter.percent) {
                bytes += waiter.more_bytes;
                return true;
            }
            !std::mem::replace(&mut overdraft_taken, true)
        });
    }

    fn wake_if(&self, mut is_due: impl FnMut(&Waiter) -> bool) {
        let mut waiters = self.waiters.lock();
        let due: Vec<_> = waiters.extract_if(.., |waiter| is_due(waiter)).collect();
        self.waiting.store(waiters.len(), SEQ);
        drop(waiters);
        for waiter in due {
            waiter.waker.wake();
        }
    }

    /// Wakes all waiting inputs, to check whether their clients are still connected.
    pub(crate) fn wake_all(&self) {
        self.wake_if(|_| true);
    }

    /// Bytes that must be freed for the first waiting input; `None` if none waits.
    pub(crate) fn lacking_bytes(&self, budget_bytes: u64) -> Option<u64> {
        if self.waiting.load(SEQ) == 0 {
            return None;
        }
        let waiters = self.waiters.lock();
        let first = waiters.first()?;
        let wanted = self.bytes() + first.more_bytes;
        Some(wanted.saturating_sub(part(budget_bytes, first.percent)))
    }

    /// Bytes beyond the most that unfinished input may hold.
    pub(crate) fn excess_bytes(&self, budget_bytes: u64) -> u64 {
        let most_bytes = part(budget_bytes, UNFINISHED_SMALL_PERCENT);
        self.bytes().saturating_sub(most_bytes)
    }
}

pub(super) fn part(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent
}
