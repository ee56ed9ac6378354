//! Which groups of writes the partner has, so that their clients may be answered.
//!
//! Small records are acknowledged in the order of their positions in the set of dirty keys, so a
//! group is answered when everything up to the position of its last key is. A key that was waiting
//! already has a lower position, and its record was read after the group was written. No state is
//! kept per key.
//!
//! A large value is overtaken by small records. Its group waits for the record itself: it *rides*
//! on the transfer that read the value after the write, and is answered at that transfer's last
//! ack. If the value turns out to be small by then, it waits for a position like the others.

use std::collections::VecDeque;
use std::mem;

use super::ticket::{Answer, Ticket, WriteGroup};
use crate::limits::{OPEN_TICKETS_MAX, SHARED_KEYS_MAX};
use crate::rules::{Rule, holds};
use crate::store::{Timestamp, Version};

/// The tickets of one connection that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    /// Groups of small records, in the order of their positions.
    open: VecDeque<Open>,
    large: Vec<Large>,
    /// The position of the last key of the last group.
    grouped: u64,
    /// What the group that is being added shares with older ones.
    shared: SharedKeys,
    /// Everything up to this position is acknowledged.
    acked: u64,
    /// The highest flush watermark that the partner is known to have.
    watermark_acked: Timestamp,
    answers: Vec<Answer>,
}

/// A group of small records.
#[derive(Debug)]
struct Open {
    ticket: Ticket,
    /// The positions after this one, up to the next, are its keys.
    after: u64,
    position: u64,
    shared: SharedKeys,
    /// The watermark of its flush; 0 without one.
    watermark: Timestamp,
    protected: bool,
}

/// The keys of a group that were waiting for an older group when they were written again.
#[derive(Debug, Default)]
struct SharedKeys {
    slots: Vec<u64>,
    /// There are more: it may be any key.
    has_more: bool,
}

/// A large value.
#[derive(Debug)]
struct Large {
    ticket: Ticket,
    slot: u64,
    state: LargeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LargeState {
    /// The value has not been read since it was written.
    Waiting,
    /// A transfer of this version, which read it since, is on its way. Its last ack may come after
    /// the next transfer of the key has begun.
    Riding(Version),
    /// It has become small: it is answered with this position.
    Small(u64),
}

impl SharedKeys {
    fn contains(&self, slot: u64) -> bool {
        (self.has_more || self.slots.contains(&slot)) && holds(Rule::SharedKeysShareRefusals)
    }
}

impl Tickets {
    /// A key of the group that is being added waits already, for an older one.
    pub(super) fn shares(&mut self, slot: u64) {
        if self.shared.slots.len() < SHARED_KEYS_MAX {
            self.shared.slots.push(slot);
        } else {
            self.shared.has_more = true;
        }
    }

    /// Adds a group whose keys are in the set of dirty keys, up to `position`. Without a ticket it
    /// is the beginning of the next one.
    pub(super) fn open(&mut self, group: &WriteGroup<'_>, position: u64, watermark: Timestamp) {
        let Some(ticket) = group.ticket else {
            return;
        };
        let after = mem::replace(&mut self.grouped, position);
        let shared = mem::take(&mut self.shared);
        if self.open.len() + self.large.len() >= OPEN_TICKETS_MAX {
            self.answer(ticket, false);
        } else if let (true, [slot]) = (ticket.is_large, group.slots) {
            self.large.push(Large {
                ticket,
                slot: *slot,
                state: LargeState::Waiting,
            });
        } else {
            self.open.push_back(Open {
                ticket,
                after,
                position,
                shared,
                watermark: if group.has_flushed {
                    watermark
                } else {
                    Timestamp::default()
                },
                protected: true,
            });
        }
    }

    /// The partner acknowledged a flush, or has sent one.
    pub(super) fn flush_acked(&mut self, watermark: Timestamp) {
        self.watermark_acked = self.watermark_acked.max(watermark);
    }

    /// Everything up to this position is acknowledged: answers the groups that waited for it.
    pub(super) fn acked(&mut self, position: u64) {
        self.acked = self.acked.max(position);
        while let Some(first) = self.open.front() {
            if first.position > self.acked || first.watermark > self.watermark_acked {
                break;
            }
            let (ticket, protected) = (first.ticket, first.protected);
            self.open.pop_front();
            self.answer(ticket, protected);
        }
        let acked = self.acked;
        if !self.large.is_empty() {
            self.answer_large(
                |large| matches!(large.state, LargeState::Small(at) if at <= acked),
                true,
            );
        }
    }

    /// The partner has no record of a key at its position: it had no room, or a large value has
    /// replaced what the groups wrote and comes later, or the entry is gone. Called before
    /// [`Self::acked`].
    pub(super) fn refused(&mut self, position: u64, slot: u64) {
        for open in &mut self.open {
            let is_own = (open.after + 1..=open.position).contains(&position);
            let is_shared = open.position >= position && open.shared.contains(slot);
            open.protected &= !(is_own || is_shared);
        }
        self.answer_large(|large| large.state == LargeState::Small(position), false);
    }

    /// The record of a slot was read for a transfer of this version in the live lane.
    pub(super) fn transfer_begun(&mut self, slot: u64, version: Version) {
        self.set_large(slot, LargeState::Riding(version));
    }

    /// The transfer of a slot has ended early; its record is sent again, or was removed.
    pub(super) fn transfer_aborted(&mut self, slot: u64, version: Version) {
        for large in &mut self.large {
            if large.slot == slot && large.state == LargeState::Riding(version) {
                large.state = LargeState::Waiting;
            }
        }
    }

    /// The transfer of this version of a slot was acknowledged to its end.
    pub(super) fn transfer_acked(&mut self, slot: u64, version: Version, protected: bool) {
        self.answer_large(
            |large| match large.state {
                LargeState::Riding(riding) if large.slot == slot => {
                    riding == version || !holds(Rule::TransferAnswersItsVersion)
                }
                _ => false,
            },
            protected,
        );
    }

    /// The entry of a slot was read at a position, and needs no transfer.
    pub(super) fn read_small(&mut self, slot: u64, position: u64) {
        if !self.large.is_empty() {
            self.set_large(slot, LargeState::Small(position));
        }
    }

    /// Nothing is known of any group any more: all are answered as not protected.
    pub(super) fn fail_all(&mut self) {
        while let Some(open) = self.open.pop_front() {
            self.answer(open.ticket, false);
        }
        self.answer_large(|_| true, false);
    }

    /// The answers that were not taken yet.
    pub(super) fn answers(&mut self) -> &mut Vec<Answer> {
        &mut self.answers
    }

    fn set_large(&mut self, slot: u64, state: LargeState) {
        for large in &mut self.large {
            if large.slot == slot && large.state == LargeState::Waiting {
                large.state = state;
            }
        }
    }

    fn answer_large(&mut self, is_due: impl Fn(&Large) -> bool, protected: bool) {
        let mut at = 0;
        while at < self.large.len() {
            if is_due(&self.large[at]) {
                let ticket = self.large.remove(at).ticket;
                self.answer(ticket, protected);
            } else {
                at += 1;
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, protected: bool) {
        self.answers.push(Answer { ticket, protected });
    }
}
