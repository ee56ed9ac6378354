//! The memory of one unfinished input.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::shared::Shared;
use super::unfinished::{SEQ, Waiter, part};
use crate::limits::{
    UNFINISHED_OVERDRAFT_PERCENT, UNFINISHED_PERCENT, UNFINISHED_SMALL_BYTES,
    UNFINISHED_SMALL_PERCENT, UPLOAD_STEP_BYTES,
};

/// See the module. Refunded when it is dropped.
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
