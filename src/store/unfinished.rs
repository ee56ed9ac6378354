//! Unfinished input: values and long lines of which a part has arrived. This bounds the memory they
//! hold together, and queues the inputs that wait for memory.
//!
//! An input counts with the memory allocated for it. It may continue while the rest of it would fit
//! below a limit. One input at a time may continue beyond that, up to a second limit (the
//! overdraft), so that inputs are completed one after the other when memory is short. The others
//! wait. An input that has brought no bytes yet needs little, and gets no overdraft.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::shared::Shared;
use crate::limits::{
    UNFINISHED_AMPLE_PERCENT, UNFINISHED_OVERDRAFT_PERCENT, UNFINISHED_PERCENT,
    UNFINISHED_SMALL_BYTES, UNFINISHED_SMALL_PERCENT, UPLOAD_STEP_BYTES,
};

/// A waiter registers and then checks again; a thread that frees memory counts it and then looks
/// for waiters. With this ordering at least one of the two sees the other.
const SEQ: Ordering = Ordering::SeqCst;

/// All unfinished input of a node.
#[derive(Debug, Default)]
pub(crate) struct UnfinishedInputs {
    bytes: AtomicU64,
    /// An input has the overdraft.
    overdraft_taken: AtomicBool,
    waiting: AtomicUsize,
    waiters: Mutex<Vec<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    /// Bytes that it needs in addition.
    more_bytes: u64,
    percent: u64,
    waker: Waker,
}

impl UnfinishedInputs {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(SEQ)
    }

    /// Whether there is so much memory left that buffers may be large.
    pub(crate) fn is_ample(&self, more_bytes: u64, budget_bytes: u64) -> bool {
        self.bytes() + more_bytes <= part(budget_bytes, UNFINISHED_AMPLE_PERCENT)
    }

    fn enter(&self, waiter: Waiter) {
        let mut waiters = self.waiters.lock();
        waiters.retain(|other| !other.waker.will_wake(&waiter.waker));
        waiters.push(waiter);
        self.waiting.store(waiters.len(), SEQ);
    }

    fn leave(&self, waker: &Waker) {
        let mut waiters = self.waiters.lock();
        waiters.retain(|other| !other.waker.will_wake(waker));
        self.waiting.store(waiters.len(), SEQ);
    }

    /// Wakes the inputs that fit now, and the first one that does not if the overdraft is free.
    fn wake_fitting(&self, budget_bytes: u64) {
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

fn part(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent
}

/// The memory of one unfinished input; refunded when it is dropped.
#[derive(Debug)]
pub struct InputReservation {
    shared: Arc<Shared>,
    bytes: u64,
    /// It has the overdraft.
    overdraws: bool,
    /// The waker under which it is in the list of waiters.
    listed_as: Option<Waker>,
}

impl InputReservation {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            bytes: 0,
            overdraws: false,
            listed_as: None,
        }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Changes the number of bytes it holds, whatever the limits.
    pub fn hold(&mut self, bytes: u64) {
        let account = &self.shared.account;
        if bytes >= self.bytes {
            account.charge(bytes - self.bytes);
        } else {
            account.refund(self.bytes - bytes);
        }
        self.count(bytes);
    }

    /// Replaces what it holds by bytes that are charged to the account already.
    pub(super) fn take_over(&mut self, charged_bytes: u64) {
        self.shared.account.refund(self.bytes);
        self.count(charged_bytes);
    }

    /// The input is complete: what it holds stays charged, and its item is refunded later.
    pub(super) fn finish(&mut self) {
        self.count(0);
    }

    fn count(&mut self, bytes: u64) {
        let unfinished = &self.shared.account.unfinished;
        if bytes >= self.bytes {
            unfinished.bytes.fetch_add(bytes - self.bytes, SEQ);
        } else {
            unfinished.bytes.fetch_sub(self.bytes - bytes, SEQ);
        }
        let gives_back = bytes == 0 && std::mem::take(&mut self.overdraws);
        if gives_back {
            unfinished.overdraft_taken.store(false, SEQ);
        }
        let shrinks = bytes < self.bytes;
        self.bytes = bytes;
        if shrinks || gives_back {
            unfinished.wake_fitting(self.shared.account.budget_bytes());
        }
    }

    /// Whether the input, which will hold `whole_bytes` when complete, may continue now. If not,
    /// the waker is called when it should ask again.
    pub fn poll_room(&mut self, whole_bytes: u64, waker: &Waker) -> Poll<()> {
        if self.may_go_on(whole_bytes) {
            self.leave();
            return Poll::Ready(());
        }
        self.leave();
        let (more_bytes, percent) = self.need(whole_bytes);
        self.shared.account.unfinished.enter(Waiter {
            more_bytes,
            percent,
            waker: waker.clone(),
        });
        self.listed_as = Some(waker.clone());
        if self.may_go_on(whole_bytes) {
            self.leave();
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Removes it from the list of waiters: a wake-up for it would be lost to the others.
    fn leave(&mut self) {
        if let Some(waker) = self.listed_as.take() {
            self.shared.account.unfinished.leave(&waker);
        }
    }

    /// The bytes it needs now, and the limit that applies, in percent of the budget.
    fn need(&self, whole_bytes: u64) -> (u64, u64) {
        let more_bytes = whole_bytes.saturating_sub(self.bytes);
        if self.bytes == 0 {
            let first_bytes = UPLOAD_STEP_BYTES as u64;
            (more_bytes.min(first_bytes), UNFINISHED_SMALL_PERCENT)
        } else {
            (more_bytes, percent(whole_bytes))
        }
    }

    fn may_go_on(&mut self, whole_bytes: u64) -> bool {
        let account = &self.shared.account;
        let (more_bytes, percent) = self.need(whole_bytes);
        let held_bytes = account.unfinished.bytes();
        let wanted_bytes = held_bytes + more_bytes;
        if self.overdraws || wanted_bytes <= part(account.budget_bytes(), percent) {
            return true;
        }
        let most_bytes = part(account.budget_bytes(), UNFINISHED_OVERDRAFT_PERCENT);
        // If no other input holds anything, it may take what it needs.
        let is_too_much = wanted_bytes > most_bytes && held_bytes > self.bytes;
        if self.bytes == 0 || is_too_much {
            return false;
        }
        self.overdraws = !account.unfinished.overdraft_taken.swap(true, SEQ);
        self.overdraws
    }
}

impl Drop for InputReservation {
    fn drop(&mut self) {
        // Before the refund, which wakes other waiters.
        self.leave();
        self.hold(0);
    }
}

fn percent(whole_bytes: u64) -> u64 {
    // A quarter more than the limit for values: key and header do not make an item a large one.
    if whole_bytes <= UNFINISHED_SMALL_BYTES as u64 * 5 / 4 {
        UNFINISHED_SMALL_PERCENT
    } else {
        UNFINISHED_PERCENT
    }
}
