//! Commands that look after the server, in a conversation.

use super::answer::say;
use super::{Conversation, Step, Stop};
use crate::protocol::text::Admin;
use crate::server::console::Outcome;

impl Conversation {
    /// Has the node carry out a command, and answers.
    pub(super) fn administer(
        &mut self,
        command: Admin,
        noreply: bool,
        step: &mut Step<'_, '_>,
    ) -> Option<Stop> {
        match step.console.administer(command) {
            Outcome::Say(words) => say(&mut step.out.bytes, noreply, &words),
            Outcome::Close => return Some(Stop::Close),
        }
        None
    }
}
