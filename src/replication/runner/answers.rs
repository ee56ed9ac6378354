//! What workers wait for: the partner's acks of their writes, and its word on keys.

use super::Runner;
use crate::replication::startup::PartnerEvent;

impl Runner {
    /// Takes the keys that clients wait for.
    pub(super) fn take_asks(&mut self) {
        self.asked_clients.take(&self.changes, &mut self.link);
    }

    /// What the startup gate is told of a link that has come up.
    pub(super) fn event_of_up(&self) -> PartnerEvent {
        match self.link.can_ask() {
            true => PartnerEvent::Up,
            false => PartnerEvent::UpUnasked,
        }
    }

    /// Gives the workers the answers that their clients wait for.
    pub(super) fn give_answers(&mut self) {
        self.link.take_answers(&mut self.answers);
        self.changes.answer(self.answers.drain(..));
        self.asked_clients.answer(&mut self.link);
    }
}
