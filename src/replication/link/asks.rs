//! Asks: a client waits for keys in which this node may hold less than its partner.
//!
//! A node that is asked puts the keys among its dirty keys, so that their records come as all
//! others do and no rule of the stream is broken, and answers once they are on the wire. It answers
//! from its own table only, whatever it knows of the other's: two nodes that ask each other do not
//! wait for each other. Answers come in the order of the frames that asked.

use std::collections::{HashMap, VecDeque};

use super::{Link, LinkError, Phase};
use crate::limits::{ASKS_UNDER_WAY_MAX, sizes};
use crate::replication::wire::{Frame, Lane, Slots};
use crate::rules::{Rule, holds};
use crate::store::Store;

/// The asks of one connection, in both directions.
#[derive(Debug, Default)]
pub(super) struct Asks {
    /// Not answered, oldest first.
    frames: VecDeque<AskFrame>,
    /// How many of them are on the wire.
    sent: usize,
    /// The number of the first of them.
    first: u64,
    /// The numbers of the frames that ask for these slots.
    by_slot: HashMap<u64, u64>,
    /// Those that wait for any of them.
    clients: HashMap<u64, Client>,
    /// What became of asks since they were taken.
    answers: Vec<(u64, bool)>,
    /// Asks of the partner, oldest first.
    owed: VecDeque<Owed>,
}

/// Keys that are asked for in one frame.
#[derive(Debug, Default)]
struct AskFrame {
    slots: Vec<u64>,
    /// Clients that wait for it.
    clients: Vec<u64>,
}

/// A client that waits.
#[derive(Debug)]
struct Client {
    /// For so many frames.
    frames: usize,
    is_answered: bool,
}

/// Keys that the partner has asked for.
#[derive(Debug)]
struct Owed {
    slots: Vec<u64>,
    /// Of the last of them among the dirty keys; `None` if there was no room for them.
    position: Option<u64>,
}

impl Asks {
    /// Asks for keys. One that is asked for already is not asked for again.
    fn ask(&mut self, number: u64, slots: &[u64]) {
        let mut client = Client {
            frames: 0,
            is_answered: true,
        };
        for &slot in slots {
            let Some(at) = self.frame_of(slot) else {
                client.is_answered = false;
                continue;
            };
            let waiting = &mut self.frames[at].clients;
            if waiting.last() != Some(&number) {
                waiting.push(number);
                client.frames += 1;
            }
        }
        if client.frames == 0 {
            self.answers.push((number, client.is_answered));
        } else {
            self.clients.insert(number, client);
        }
    }

    /// The frame that asks for a slot; `None` if there are too many.
    fn frame_of(&mut self, slot: u64) -> Option<usize> {
        if let Some(frame) = self.by_slot.get(&slot) {
            return Some((frame - self.first) as usize);
        }
        let has_room = |frame: &AskFrame| frame.slots.len() < sizes().ask_keys_max;
        let is_open = self.frames.len() > self.sent && self.frames.back().is_some_and(has_room);
        if !is_open {
            if self.frames.len() >= ASKS_UNDER_WAY_MAX {
                return None;
            }
            self.frames.push_back(AskFrame::default());
        }
        let at = self.frames.len() - 1;
        self.frames[at].slots.push(slot);
        self.by_slot.insert(slot, self.first + at as u64);
        Some(at)
    }

    /// The oldest frame is answered. False if there is none.
    fn answered(&mut self, is_answered: bool) -> bool {
        if self.sent == 0 {
            return false;
        }
        let Some(frame) = self.frames.pop_front() else {
            return false;
        };
        self.sent -= 1;
        self.first += 1;
        for slot in frame.slots {
            self.by_slot.remove(&slot);
        }
        for number in frame.clients {
            let Some(client) = self.clients.get_mut(&number) else {
                continue;
            };
            client.frames -= 1;
            client.is_answered &= is_answered;
            if client.frames == 0 {
                self.answers.push((number, client.is_answered));
                self.clients.remove(&number);
            }
        }
        true
    }

    /// Whether the partner waits for the record of this slot.
    pub(super) fn owes(&self, slot: u64) -> bool {
        let owed = &mut self.owed.iter();
        owed.any(|owed| owed.position.is_some() && owed.slots.contains(&slot))
    }

    /// The record of this slot comes only with the dirty key of that position, or not at all: so
    /// do the answers to the partner's asks for it.
    pub(super) fn put_off(&mut self, slot: u64, position: Option<u64>) {
        for owed in &mut self.owed {
            if owed.position.is_some() && owed.slots.contains(&slot) {
                owed.position = position;
            }
        }
    }

    /// The link has ended: nobody gets an answer any more.
    pub(super) fn fail_all(&mut self) -> impl Iterator<Item = (u64, bool)> {
        let unanswered = self.clients.drain().map(|(client, _)| (client, false));
        self.answers.drain(..).chain(unanswered)
    }
}

impl Link {
    /// A client waits for these keys, at most 1,024: asks the partner for them. `client` is a
    /// number of its own for each; [`Link::take_asked`] tells when they have come.
    pub fn ask(&mut self, client: u64, slots: &[u64]) {
        if self.phase == Phase::Up {
            self.session.asks.ask(client, slots);
        } else {
            self.asked.push((client, false));
        }
    }

    /// Whether the partner of a link that is up can be asked for keys: it names them as this node
    /// does.
    pub fn can_ask(&self) -> bool {
        self.session.same_hashes
    }

    /// What became of asks since the last call: whether the partner's records of their keys are in
    /// the table.
    pub fn take_asked(&mut self) -> impl Iterator<Item = (u64, bool)> {
        let session = self.session.asks.answers.drain(..);
        self.asked.drain(..).chain(session)
    }

    /// Sends the keys that clients wait for.
    pub(super) fn send_asks(&mut self, out: &mut Vec<u8>) {
        let asks = &mut self.session.asks;
        for frame in asks.frames.iter().skip(asks.sent) {
            Frame::encode_ask(out, &frame.slots);
        }
        asks.sent = asks.frames.len();
    }

    /// The partner has answered an ask.
    pub(super) fn on_asked(&mut self, is_answered: bool) -> Result<(), LinkError> {
        match self.session.asks.answered(is_answered) {
            true => Ok(()),
            false => Err(LinkError::Protocol("an answer without an ask")),
        }
    }

    /// The partner asks for keys.
    pub(super) fn on_ask(&mut self, slots: Slots<'_>, store: &Store) -> Result<(), LinkError> {
        if self.session.asks.owed.len() >= ASKS_UNDER_WAY_MAX {
            return Err(LinkError::Protocol("more asks than may be under way"));
        }
        let mut held = Vec::new();
        for slot in slots.iter().take(sizes().ask_keys_max) {
            store.slots_of_hash(slot, &mut held);
        }
        // Nodes with different secrets name their keys differently.
        let can_answer = self.session.same_hashes
            && slots.iter().count() <= sizes().ask_keys_max
            && self.session.dirty.has_room(held.len());
        if can_answer {
            self.mark_dirty(&held);
        }
        self.session.asks.owed.push_back(Owed {
            slots: held,
            position: can_answer.then(|| self.session.dirty.inserted()),
        });
        Ok(())
    }

    /// Answers the asks whose records are on the wire.
    pub(super) fn send_asked(&mut self, out: &mut Vec<u8>) {
        while let Some(owed) = self.session.asks.owed.front() {
            let is_answered = match owed.position {
                None => false,
                Some(_) if !holds(Rule::AskIsAnsweredAfterRecords) => true,
                Some(position) if position > self.session.dirty.popped() => return,
                Some(_) if owed.slots.iter().any(|&slot| self.is_in_bulk(slot)) => return,
                Some(_) => true,
            };
            self.session.asks.owed.pop_front();
            Frame::Asked { is_answered }.encode(out);
        }
    }

    /// Whether a large value of this slot is to be sent, or is being sent.
    fn is_in_bulk(&self, slot: u64) -> bool {
        let transfer = self.session.outgoing[Lane::Live as usize].as_ref();
        self.session.bulk.contains(slot) || transfer.is_some_and(|it| it.slot == slot)
    }
}
