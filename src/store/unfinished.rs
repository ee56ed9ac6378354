//! Input of clients that has not arrived whole: how much memory all of it holds, and who waits.
//!
//! Values and long lines count here with what is allocated for them. An input may go on while all
//! that is still to come of it would fit below a limit; one at a time may go on beyond it, up to
//! another one, so that clients that send are served, one after the other. The others wait. The
//! first bytes of an input always come in: only what has brought some may go beyond the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::shared::Shared;
use crate::limits::{
    UNFINISHED_AMPLE_PERCENT, UNFINISHED_OVERDRAFT_PERCENT, UNFINISHED_PERCENT,
    UNFINISHED_SMALL_BYTES, UNFINISHED_SMALL_PERCENT, UPLOAD_STEP_BYTES,
};

/// Who waits registers and looks again; who frees counts down and then looks for who waits. In this
/// order one of the two sees the other.
const SEQ: Ordering = Ordering::SeqCst;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct UnfinishedInputs {
    bytes: AtomicU64,
    /// One input goes on beyond the limit.
    overdraft_taken: AtomicBool,
    waiting: AtomicUsize,
    waiters: Mutex<Vec<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    /// Bytes that it is going to hold in addition.
    more_bytes: u64,
    percent: u64,
    waker: Waker,
}

impl UnfinishedInputs {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(SEQ)
    }

    /// Whether buffers may be generous.
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

    /// Wakes those who fit now, the first one that does not if nobody goes beyond the limit.
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

    /// Wakes all who wait: they look whether their clients are still there.
    pub(crate) fn wake_all(&self) {
        self.wake_if(|_| true);
    }

    /// Bytes that must be freed for the first of those who wait; `None` if nobody does.
    pub(crate) fn lacking_bytes(&self, budget_bytes: u64) -> Option<u64> {
        if self.waiting.load(SEQ) == 0 {
            return None;
        }
        let waiters = self.waiters.lock();
        let first = waiters.first()?;
        let wanted = self.bytes() + first.more_bytes;
        Some(wanted.saturating_sub(part(budget_bytes, first.percent)))
    }

    /// Bytes beyond what unfinished input may hold at most.
    pub(crate) fn excess_bytes(&self, budget_bytes: u64) -> u64 {
        let most_bytes = part(budget_bytes, UNFINISHED_SMALL_PERCENT);
        self.bytes().saturating_sub(most_bytes)
    }
}

fn part(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent
}

/// What one unfinished input holds; given back when it is dropped.
#[derive(Debug)]
pub struct InputReservation {
    shared: Arc<Shared>,
    bytes: u64,
    /// It goes on beyond the limit.
    overdraws: bool,
    /// Under which it is listed among those who wait.
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

    /// Charges it with another number of bytes, whatever the limits.
    pub fn hold(&mut self, bytes: u64) {
        let account = &self.shared.account;
        if bytes >= self.bytes {
            account.charge(bytes - self.bytes);
        } else {
            account.refund(self.bytes - bytes);
        }
        self.count(bytes);
    }

    /// From now on it holds what has been charged already, and nothing else.
    pub(super) fn take_over(&mut self, charged_bytes: u64) {
        self.shared.account.refund(self.bytes);
        self.count(charged_bytes);
    }

    /// It is whole: what it holds stays charged for somebody else to refund.
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

    /// Whether the input, which is going to hold `whole_bytes`, may go on now. Else the waker is
    /// called as soon as it is worth another look.
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

    /// Is not listed any more among those who wait: a call for it would be lost to the others.
    fn leave(&mut self) {
        if let Some(waker) = self.listed_as.take() {
            self.shared.account.unfinished.leave(&waker);
        }
    }

    /// What it needs now, and below which limit: the first bytes of an input need little.
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
        // Alone it may take what it needs.
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
        // First: what it gives back is for others.
        self.leave();
        self.hold(0);
    }
}

fn percent(whole_bytes: u64) -> u64 {
    // The key and the header of an item do not make it a large one.
    if whole_bytes <= UNFINISHED_SMALL_BYTES as u64 * 5 / 4 {
        UNFINISHED_SMALL_PERCENT
    } else {
        UNFINISHED_PERCENT
    }
}
