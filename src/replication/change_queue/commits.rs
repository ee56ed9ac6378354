//! The writes of one worker on their way to the partner, and the clients that wait for it.
//!
//! What the turns of one poll of the sockets write is one group: it is handed over once, after the
//! last of these turns, and the partner's answer releases all their clients. Handing each turn over
//! by itself cost a third of the throughput.
//!
//! One worker's thread uses it; only [`WorkerAnswers`] are shared.

use std::collections::VecDeque;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::ChangeSender;
use super::answers::WorkerAnswers;
use crate::limits::{LARGE_ACK_TIMEOUT_MS, SPARE_GROUPS_KEPT};
use crate::replication::link::{Answer, Ticket};
use crate::replication::sync::{AtomicU64, Ordering};
use crate::store::OpContext;

/// The groups of one worker.
#[derive(Debug)]
pub struct Commits {
    sender: ChangeSender,
    worker: u16,
    ack_timeout_ms: u64,
    answers: Arc<WorkerAnswers>,
    /// The group that is being collected.
    keys: Vec<u64>,
    has_flushed: bool,
    open: Group,
    /// Groups that were handed over, oldest first; their numbers follow each other.
    small: VecDeque<Group>,
    /// Large values, which are answered in any order.
    large: Vec<Group>,
    last_large: u64,
    /// Kept for the next groups.
    spare_waiters: Vec<Vec<Waker>>,
    taken: Vec<Answer>,
}

/// Writes that are answered together.
#[derive(Debug, Default)]
struct Group {
    number: u64,
    sent_ms: u64,
    writes: u64,
    waiters: Vec<Waker>,
}

/// What a connection waits for: the answers to the writes of its last turn.
#[derive(Debug)]
pub struct Commit {
    /// The number of their group.
    small: Option<u64>,
    /// The numbers of the large values.
    large: RangeInclusive<u64>,
    /// The group that will wake the connection: its number, and whether it is large.
    registered: Option<(u64, bool)>,
}

/// How a group is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Protected,
    Unprotected,
    Late,
}

impl Commits {
    /// Those of a worker of a pair in `semi-sync` mode, which waits so long for an answer.
    pub(super) fn new(
        sender: ChangeSender,
        worker: u16,
        answers: Arc<WorkerAnswers>,
        ack_timeout_ms: u64,
    ) -> Self {
        Self {
            sender,
            worker,
            ack_timeout_ms,
            answers,
            keys: Vec::new(),
            has_flushed: false,
            open: Group {
                number: 1,
                ..Group::default()
            },
            small: VecDeque::new(),
            large: Vec::new(),
            last_large: 0,
            spare_waiters: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Adds what a turn wrote to the present group, and empties it. `None`: nobody waits for the
    /// partner now. [`Self::hand_over`] must follow, after other turns.
    pub fn add(&mut self, context: &mut OpContext) -> Option<Commit> {
        let now_ms = context.now.boot_ms;
        let large = mem::take(&mut context.large);
        if !large.is_empty() {
            context.dirty.retain(|slot| !large.contains(slot));
        }
        let has_flushed = mem::take(&mut context.flushed);
        let writes = context.dirty.len() as u64 + u64::from(has_flushed);
        self.keys.append(&mut context.dirty);
        self.has_flushed |= has_flushed;
        if !self.sender.is_waited_for() {
            add(
                &self.answers.counts.unprotected,
                writes + large.len() as u64,
            );
            self.keys.extend(large);
            return None;
        }
        self.open.writes += writes;
        let small = (writes > 0).then_some(self.open.number);
        let first_large = self.last_large + 1;
        if !large.is_empty() {
            // What was written before them goes before them.
            self.hand_over(now_ms);
        }
        for slot in large {
            self.hand_over_large(slot, now_ms);
        }
        Some(Commit {
            small,
            large: first_large..=self.last_large,
            registered: None,
        })
    }

    /// Whether a group is to be handed over.
    pub fn has_group(&self) -> bool {
        !self.keys.is_empty() || self.has_flushed
    }

    /// Hands the present group over to the link, and begins another.
    pub fn hand_over(&mut self, now_ms: u64) {
        if !self.has_group() {
            return;
        }
        let next = Group {
            number: self.open.number + 1,
            waiters: self.spare_waiters.pop().unwrap_or_default(),
            ..Group::default()
        };
        let mut group = mem::replace(&mut self.open, next);
        group.sent_ms = now_ms;
        let ticket = self.ticket(&group, false);
        self.small.push_back(group);
        let has_flushed = mem::take(&mut self.has_flushed);
        let is_sent = self.sender.send_group(&self.keys, has_flushed, ticket);
        self.keys.clear();
        if !is_sent {
            // The link will drop keys, or has ended, so nothing is known of older groups either.
            self.release_up_to(ticket.number, Outcome::Unprotected);
        }
    }

    fn hand_over_large(&mut self, slot: u64, now_ms: u64) {
        self.last_large += 1;
        let group = Group {
            number: self.last_large,
            sent_ms: now_ms,
            writes: 1,
            waiters: Vec::new(),
        };
        let ticket = self.ticket(&group, true);
        self.large.push(group);
        if !self.sender.send_group(&[slot], false, ticket) {
            self.release_large(|group| group.number == ticket.number, Outcome::Unprotected);
        }
    }

    fn ticket(&self, group: &Group, is_large: bool) -> Ticket {
        Ticket {
            worker: self.worker,
            number: group.number,
            sent_ms: group.sent_ms,
            is_large,
        }
    }

    /// Ready once the partner has answered, or has been waited for for long enough.
    pub fn poll_answered(&mut self, commit: &mut Commit, cx: &Context<'_>) -> Poll<()> {
        let oldest = self.small.front().map_or(self.open.number, |it| it.number);
        let small = commit.small.and_then(|it| it.checked_sub(oldest));
        let group = if let Some(at) = small {
            // Those handed over, and then the one being collected.
            self.small.get_mut(at as usize).unwrap_or(&mut self.open)
        } else {
            let mut large = self.large.iter_mut();
            match large.find(|it| commit.large.contains(&it.number)) {
                Some(group) => group,
                None => return Poll::Ready(()),
            }
        };
        let waits_for = Some((group.number, small.is_none()));
        if mem::replace(&mut commit.registered, waits_for) != waits_for {
            group.waiters.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes the answers that have arrived, and wakes the connections that waited for them.
    pub fn take_answers(&mut self) {
        let mut taken = mem::take(&mut self.taken);
        self.answers.take(&mut taken);
        for Answer { ticket, protected } in taken.drain(..) {
            let outcome = match protected {
                true => Outcome::Protected,
                false => Outcome::Unprotected,
            };
            if ticket.is_large {
                self.release_large(|group| group.number == ticket.number, outcome);
            } else {
                self.release_up_to(ticket.number, outcome);
            }
        }
        self.taken = taken;
    }

    /// Releases the groups that have waited for too long.
    pub fn release_late(&mut self, now_ms: u64) {
        let timeout_ms = self.ack_timeout_ms;
        while let Some(group) = self.small.front()
            && now_ms >= group.sent_ms + timeout_ms
        {
            self.release_up_to(group.number, Outcome::Late);
        }
        self.release_large(
            |group| now_ms >= group.sent_ms + LARGE_ACK_TIMEOUT_MS,
            Outcome::Late,
        );
    }

    /// Whether a group that was handed over waits for its answer.
    pub fn is_waiting(&self) -> bool {
        !self.small.is_empty() || !self.large.is_empty()
    }

    /// The replication thread's end of the answers.
    pub fn answers(&self) -> Arc<WorkerAnswers> {
        Arc::clone(&self.answers)
    }

    /// Releases the group of this number and all before it.
    fn release_up_to(&mut self, number: u64, outcome: Outcome) {
        while let Some(group) = self.small.pop_front_if(|group| group.number <= number) {
            let waiters = self.release(group, outcome);
            if self.spare_waiters.len() < SPARE_GROUPS_KEPT {
                self.spare_waiters.push(waiters);
            }
        }
    }

    fn release_large(&mut self, is_due: impl Fn(&Group) -> bool, outcome: Outcome) {
        while let Some(at) = self.large.iter().position(&is_due) {
            let group = self.large.swap_remove(at);
            self.release(group, outcome);
        }
    }

    /// Counts a group and wakes its connections.
    fn release(&mut self, mut group: Group, outcome: Outcome) -> Vec<Waker> {
        let counts = &self.answers.counts;
        match outcome {
            Outcome::Protected => add(&counts.protected, group.writes),
            Outcome::Unprotected => add(&counts.unprotected, group.writes),
            Outcome::Late => {
                add(&counts.unprotected, group.writes);
                add(&counts.late, group.writes);
            }
        }
        group.waiters.drain(..).for_each(Waker::wake);
        group.waiters
    }
}

fn add(count: &AtomicU64, writes: u64) {
    // One thread writes it.
    count.store(count.load(Ordering::Relaxed) + writes, Ordering::Relaxed);
}
