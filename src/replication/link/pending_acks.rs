//! Acks this node has not sent yet, in the order in which the partner's records arrived.

use std::collections::VecDeque;

use crate::limits::sizes;
use crate::replication::wire::Ack;

/// Acks not on the wire yet; equal neighbours are one run.
#[derive(Debug, Default)]
pub(super) struct PendingAcks {
    runs: VecDeque<(Ack, u16)>,
    count: usize,
}

impl PendingAcks {
    /// Adds an ack. False if the partner has more unacknowledged frames than a link allows.
    pub(super) fn push(&mut self, ack: Ack) -> bool {
        if self.count >= sizes().in_flight_max {
            return false;
        }
        self.count += 1;
        match self.runs.back_mut() {
            Some((last, count))
                if *last == ack && *count < u16::MAX && !matches!(ack, Ack::Superseded(_)) =>
            {
                *count += 1;
            }
            _ => self.runs.push_back((ack, 1)),
        }
        true
    }

    pub(super) fn pop_run(&mut self) -> Option<(Ack, u16)> {
        let run = self.runs.pop_front()?;
        self.count -= usize::from(run.1);
        Some(run)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}
