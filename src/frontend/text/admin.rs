//! Commands that look after the server, in a conversation.

use super::reply::say;
use super::{Conversation, Step, Stop};
use crate::frontend::control::Outcome;
use crate::frontend::meta;
use crate::protocol::text::Admin;

impl Conversation {
    /// Has the node carry out a command, and answers.
    pub(super) fn administer(
        &mut self,
        command: Admin,
        noreply: bool,
        step: &mut Step<'_, '_>,
    ) -> Option<Stop> {
        // memcached sends what is there when it meets an `mn`.
        let out = &step.out;
        let follows_replies = !out.is_empty() && !out.bytes.ends_with(meta::reply::NOTHING);
        match step.console.administer(command, follows_replies) {
            Outcome::Say(words) => {
                step.turn.count_survey();
                say(&mut step.out.bytes, noreply, &words);
            }
            Outcome::Dump(dump) => self.state = dump.begin(step),
            Outcome::Watch(events) => return Some(Stop::Watch(events)),
            Outcome::Close => return Some(Stop::Shutdown),
        }
        None
    }
}
