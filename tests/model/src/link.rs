//! The replication thread, whose partner has each record as soon as it is sent.

use std::mem;

use loom::future::block_on;

use crate::replication::change_queue::ChangeReceiver;
use crate::replication::link::{Answer, Ticket};

/// The thread: the loop of `replication/runner/drive.rs`.
#[derive(Debug)]
pub struct Link {
    changes: ChangeReceiver,
    /// Groups whose answers are not given yet.
    open: Vec<Ticket>,
    /// All that came.
    tickets: Vec<Ticket>,
    /// Slots that were sent.
    pub sent: Vec<u64>,
    /// A batch was dropped: a full sync would begin.
    pub has_overflowed: bool,
}

impl Link {
    /// A link that is up, and whose partner is waited for.
    pub fn up(changes: ChangeReceiver) -> Self {
        changes.set_link_up(true);
        changes.set_waited_for(true);
        Self {
            changes,
            open: Vec::new(),
            tickets: Vec::new(),
            sent: Vec::new(),
            has_overflowed: false,
        }
    }

    /// Takes what waits in the queue.
    pub fn take(&mut self) {
        self.has_overflowed |= self.changes.take_overflow().is_some();
        let mut came = 0;
        while let Some(batch) = self.changes.take() {
            if let Some(ticket) = batch.group().ticket {
                assert!(!self.tickets.contains(&ticket), "it comes with one batch");
                self.tickets.push(ticket);
                self.open.push(ticket);
            }
            self.sent.extend(&batch.keys);
            came += batch.keys.len();
            self.changes.give_back(batch);
        }
        if came > 0 {
            self.changes.mark_taken();
        }
    }

    /// Answers all groups that were taken.
    pub fn answer(&mut self, protected: bool) {
        let answer = |ticket| Answer { ticket, protected };
        self.changes
            .answer(mem::take(&mut self.open).into_iter().map(answer));
    }

    /// Answers the oldest group that was taken, as protected.
    pub fn answer_oldest(&mut self) {
        if !self.open.is_empty() {
            let ticket = self.open.remove(0);
            let protected = true;
            self.changes.answer([Answer { ticket, protected }]);
        }
    }

    /// Sleeps until a worker wakes the thread, unless something has just arrived.
    pub fn sleep(&self) {
        if self.changes.park() {
            block_on(self.changes.notified());
        }
    }

    /// The connection has ended: first those are answered whose groups were taken.
    pub fn go_down(&mut self) {
        self.answer(false);
        self.changes.set_link_up(false);
    }

    /// A connection has come up.
    pub fn come_up(&self) {
        self.changes.set_link_up(true);
        self.changes.set_waited_for(true);
    }

    /// Takes until something was sent.
    pub fn take_some(&mut self) {
        self.take();
        while self.sent.is_empty() {
            self.sleep();
            self.take();
        }
    }

    /// Takes and answers until so many slots were sent, or some were dropped.
    pub fn run(&mut self, slots: usize) {
        loop {
            self.take();
            self.answer(true);
            if self.sent.len() >= slots || self.has_overflowed {
                break;
            }
            self.sleep();
        }
    }

    /// The queue's end.
    pub fn changes(&self) -> &ChangeReceiver {
        &self.changes
    }
}
