//! Clients that wait for the partner's word on keys, between the change queue and the link.

use std::collections::HashMap;

use super::change_queue::{AskedKeys, ChangeReceiver};
use super::link::Link;
use super::sync::oneshot;

/// By the numbers of their asks.
#[derive(Debug, Default)]
pub(super) struct AskedClients {
    waiting: HashMap<u64, oneshot::Sender<bool>>,
    taken: u64,
}

impl AskedClients {
    /// Takes the keys that clients wait for to the link.
    pub(super) fn take(&mut self, changes: &ChangeReceiver, link: &mut Link) {
        while let Some(AskedKeys { slots, answer }) = changes.take_ask() {
            self.taken += 1;
            self.waiting.insert(self.taken, answer);
            link.ask(self.taken, &slots);
        }
    }

    /// Tells the clients what the link knows.
    pub(super) fn answer(&mut self, link: &mut Link) {
        for (number, is_answered) in link.take_asked() {
            if let Some(answer) = self.waiting.remove(&number) {
                // An error: the client has not waited.
                let _ = answer.send(is_answered);
            }
        }
    }
}
