//! What clients are told when a write is answered, held against the partner's own table.

use std::collections::HashMap;

use super::model::Model;
use super::node::SimNode;
use crate::limits::sizes;
use crate::replication::link::{Answer, Ticket, WriteGroup};
use crate::store::{Now, Store, Version};

/// The groups of writes of one node that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_ticket: HashMap<(bool, u64), Vec<(u64, Version)>>,
    /// Keys of a group whose last batch has not come yet.
    before: Vec<(u64, Version)>,
    /// A batch was dropped: perhaps the last one of a group whose others are still in the queue.
    has_dropped: bool,
}

fn key_of(ticket: &Ticket) -> (bool, u64) {
    (ticket.is_large, ticket.number)
}

impl Groups {
    /// Groups without their last batch are not continued.
    pub(super) fn dropped(&mut self) {
        self.before.clear();
        self.has_dropped = true;
    }

    /// The queue of batches is empty.
    pub(super) fn all_taken(&mut self) {
        self.has_dropped = false;
    }

    /// A batch goes to the link, which reads each record after this moment: what the partner
    /// acknowledges is at least what the table holds now.
    pub(super) fn handed_over(&mut self, group: &WriteGroup<'_>, store: &Store, now: Now) {
        if group.ticket.is_none() && self.has_dropped {
            return;
        }
        let is_large = group.ticket.is_some_and(|ticket| ticket.is_large);
        let held = group.slots.iter().filter_map(|&slot| {
            let item = store.entry(slot)?;
            // A receiver keeps no tombstone; and what expires on the way arrives as one.
            let lasts = !item.is_tombstone() && item.deadline_ms() > now.boot_ms + 60_000;
            // A large value has a group of its own, except where nobody waits, and in bursts.
            let is_due = lasts && (is_large || item.value().len() <= sizes().one_frame_value_bytes);
            is_due.then(|| (slot, item.version()))
        });
        self.before.extend(held);
        if let Some(ticket) = &group.ticket {
            let versions = std::mem::take(&mut self.before);
            self.by_ticket.insert(key_of(ticket), versions);
        }
    }

    /// The versions of a group that is answered.
    fn answered(&mut self, answer: &Answer) -> Vec<(u64, Version)> {
        let versions = self.by_ticket.remove(&key_of(&answer.ticket));
        versions.filter(|_| answer.protected).unwrap_or_default()
    }
}

impl SimNode {
    /// Takes the answers that the link has for clients, and checks them against the partner. How
    /// many versions were answered as protected and are there.
    pub(super) fn check_answers(&mut self, partner: &Self, model: &Model) -> Result<u64, String> {
        let mut found = 0;
        let mut answers = Vec::new();
        self.link.take_answers(&mut answers);
        // Of a life that has ended nothing can be said here.
        let is_same_life = self.linked_to == Some(partner.incarnation);
        for answer in &answers {
            for (slot, version) in self.groups.answered(answer) {
                if is_same_life {
                    self.check_protected(partner, model, slot, version)?;
                    found += 1;
                }
            }
        }
        self.changes.answer(answers);
        if let Some(commits) = &mut self.commits {
            commits.take_answers();
        }
        Ok(found)
    }

    /// `Err` if the partner shows an older version, or has never held this one although it is still
    /// the newest here. It may also have got a later deletion, of which it keeps nothing.
    fn check_protected(
        &self,
        partner: &Self,
        model: &Model,
        slot: u64,
        version: Version,
    ) -> Result<(), String> {
        let history = model.keys.iter().find(|history| history.slot == slot);
        let history = history.expect("only keys of clients are written");
        let held = history.entry(&partner.store);
        let is_stale = match &held {
            Some(item) if !item.is_tombstone() => item.version() < version,
            _ => false,
        };
        let newest = history
            .entry(&self.store)
            .filter(|item| !item.is_tombstone());
        let is_newest = newest
            .as_ref()
            .is_some_and(|item| item.version() == version);
        let is_lost = held.is_none() && is_newest && history.sides[partner.side].held < version;
        let watermarks = [self, partner].map(|node| node.store.flush_watermark());
        let is_flushed = watermarks.iter().any(|&it| version.timestamp < it);
        if (is_stale || is_lost) && !is_flushed {
            let key = String::from_utf8_lossy(&history.key);
            let [here, there] = [newest, held].map(|item| item.map(|item| item.version()));
            return Err(format!(
                "{key}: {version:?} was answered as protected; here {here:?}, there {there:?}"
            ));
        }
        Ok(())
    }
}
