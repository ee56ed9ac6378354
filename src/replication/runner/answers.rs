//! What workers wait for: the partner's acks of their writes, and its word on keys.

use super::Runner;
use crate::replication::change_queue::AskedKeys;
use crate::replication::startup::PartnerEvent;

impl Runner {
    /// Takes the keys that clients wait for.
    pub(super) fn take_asks(&mut self) {
        while let Some(AskedKeys { slots, answer }) = self.changes.take_ask() {
            self.asks_taken += 1;
            self.asking.insert(self.asks_taken, answer);
            self.link.ask(self.asks_taken, &slots);
        }
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
        for (number, is_answered) in self.link.take_asked() {
            if let Some(answer) = self.asking.remove(&number) {
                // An error: the client has not waited.
                let _ = answer.send(is_answered);
            }
        }
    }
}
