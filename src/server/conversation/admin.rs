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
        let follows_replies = !step.out.is_empty();
        match step.console.administer(command, follows_replies) {
            Outcome::Say(words) => say(&mut step.out.bytes, noreply, &words),
            Outcome::Dump(dump) => self.state = dump.begin(step),
            Outcome::Close => return Some(Stop::Close),
        }
        None
    }
}
