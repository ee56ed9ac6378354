//! How far the partner is behind: up to which moment it has confirmed every change.
//!
//! At some moment the length of the queue is noted; once all that was in it is confirmed, so is
//! every change up to that moment, and the next one is noted. Small records first, for a large
//! value is found out to be one when its key is taken from the queue.

use super::Session;
use super::in_flight::Traffic;
use crate::replication::wire::Lane;

/// See the module. Positions are those of keys in the two queues of a connection.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The last small record to wait for, or else the last large one.
    waits_for: Option<Mark>,
    /// When that was noted.
    noted_ms: u64,
    /// Every change up to then is confirmed.
    confirmed_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    Small(u64),
    Large(u64),
}

impl Lag {
    /// Every change up to then is confirmed, in boot-time milliseconds.
    pub(super) fn confirmed_ms(&self) -> Option<u64> {
        self.confirmed_ms
    }
}

impl Session {
    /// Looks how far the partner is. Changes that have not reached the link must not be older than
    /// those that have.
    pub(super) fn note_lag(&mut self, now_ms: u64) {
        if let Some(Mark::Small(position)) = self.lag.waits_for
            && self.confirmed_small() >= position
        {
            self.lag.waits_for = Some(Mark::Large(self.bulk.inserted()));
        }
        match self.lag.waits_for {
            Some(Mark::Small(_)) => return,
            Some(Mark::Large(position)) if self.confirmed_large() < position => return,
            Some(Mark::Large(_)) => self.lag.confirmed_ms = Some(self.lag.noted_ms),
            None => {}
        }
        self.lag.waits_for = Some(Mark::Small(self.dirty.inserted()));
        self.lag.noted_ms = now_ms;
    }

    /// Up to this position no key is on the wire or waits for it.
    fn confirmed_small(&self) -> u64 {
        let on_the_wire = self.in_flight.first_position();
        on_the_wire.map_or_else(|| self.dirty.popped(), |first| first.saturating_sub(1))
    }

    /// The same of large values. A frame on the wire belongs to one value.
    fn confirmed_large(&self) -> u64 {
        let is_sending = self.outgoing[Lane::Live as usize].is_some();
        let on_the_wire = match self.in_flight.carries(Traffic::Bulk) {
            true => self.in_flight.len(),
            false => 0,
        };
        let unconfirmed = on_the_wire + usize::from(is_sending);
        self.bulk.popped().saturating_sub(unconfirmed as u64)
    }
}
