//! Waiting for the partner: groups of writes in, their answers out, and whether it is worth it.

use super::dirty::Inserted;
use super::health::{Health, Verdict};
use super::ticket::{Answer, WriteGroup};
use super::{Link, LinkEvent, Phase};
use crate::rules::{Rule, holds};
use crate::store::{Now, Store};

impl Link {
    /// A group of writes that are in the table. They are dropped while the link is not up: the sync
    /// that begins when it comes up sends them.
    pub fn commit(&mut self, group: &WriteGroup<'_>, store: &Store) {
        if self.phase != Phase::Up {
            return self.answers.extend(group.ticket.map(Answer::unprotected));
        }
        if !self.insert_dirty(group.slots, true) {
            self.answers.extend(group.ticket.map(Answer::unprotected));
            return self.overflowed(group.slots);
        }
        let position = match holds(Rule::GroupWaitsForItsLastKey) {
            true => self.session.dirty.inserted(),
            false => self.session.dirty.popped(),
        };
        let watermark = store.flush_watermark();
        self.session.tickets.open(group, position, watermark);
        if self.is_degraded() {
            self.session.tickets.fail_all();
        }
    }

    /// Slots that were written, and nobody waits for.
    pub fn mark_dirty(&mut self, slots: &[u64]) {
        if self.phase == Phase::Up && !self.insert_dirty(slots, false) {
            self.overflowed(slots);
        }
    }

    /// Puts slots into the set of dirty keys; those of a group may wait there for an older one
    /// already. False if the set is full.
    fn insert_dirty(&mut self, slots: &[u64], is_group: bool) -> bool {
        let session = &mut self.session;
        let mut fits = true;
        for &slot in slots {
            match session.dirty.insert(slot) {
                Inserted::Known if is_group => session.tickets.shares(slot),
                Inserted::New | Inserted::Known => {}
                Inserted::Full => fits = false,
            }
        }
        fits
    }

    /// Appends what became of groups of writes since the last call.
    pub fn take_answers(&mut self, answers: &mut Vec<Answer>) {
        answers.append(&mut self.answers);
        answers.append(self.session.tickets.answers());
    }

    /// Whether clients should wait for the partner now: the link is up, its mode is `semi-sync`,
    /// and it is not degraded.
    pub fn is_waited_for(&self) -> bool {
        self.phase == Phase::Up && self.health.as_ref().is_some_and(|it| !it.is_degraded())
    }

    /// Whether the partner is too slow to be waited for.
    pub fn is_degraded(&self) -> bool {
        self.health.as_ref().is_some_and(Health::is_degraded)
    }

    /// Judges whether the partner is fast enough to be waited for.
    pub(super) fn judge(&mut self, stood_still_ms: u64, now: Now) {
        let in_flight = !self.session.in_flight.is_empty();
        let Some(health) = self.health.as_mut().filter(|_| self.phase == Phase::Up) else {
            return;
        };
        if in_flight && health.is_pause(stood_still_ms) {
            health.paused(now.boot_ms);
        }
        let verdict = health.tick(in_flight, now.boot_ms);
        self.on_verdict(verdict);
    }

    pub(super) fn on_verdict(&mut self, verdict: Option<Verdict>) {
        match verdict {
            Some(Verdict::Degraded(reason)) => {
                self.counters.degradations += 1;
                self.session.tickets.fail_all();
                self.event(LinkEvent::Degraded { reason });
            }
            Some(Verdict::Recovered) => self.event(LinkEvent::Recovered),
            None => {}
        }
    }

    /// When the partner has acknowledged nothing for too long, if it owes an ack.
    pub(super) fn stalled_at_ms(&self) -> u64 {
        match &self.health {
            Some(health) if !self.session.in_flight.is_empty() && !health.is_degraded() => {
                health.stalled_at_ms()
            }
            _ => u64::MAX,
        }
    }
}
