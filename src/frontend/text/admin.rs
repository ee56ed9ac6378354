//! Administrative commands.

use super::reply::say;
use super::state::{TextFrontend, TextState};
use crate::frontend::control::ControlReply;
use crate::frontend::executor::Executor;
use crate::frontend::flow::Flow;
use crate::protocol::meta;
use crate::protocol::text::{Admin, dump};

impl TextFrontend {
    /// Has the node carry out a command, and answers.
    pub(super) fn administer(
        &mut self,
        command: Admin,
        noreply: bool,
        exec: &mut Executor<'_, '_>,
    ) -> Option<Flow> {
        // memcached flushes its replies after an `mn`.
        let out = &exec.out;
        let follows_replies = !out.is_empty() && !out.bytes.ends_with(meta::reply::NOTHING);
        match exec.server.administer(command, follows_replies) {
            ControlReply::Say(words) => {
                exec.ctx.end_turn();
                say(&mut exec.out.bytes, noreply, &words);
            }
            ControlReply::Dump(begun) => {
                exec.out.bytes.extend_from_slice(dump::BEGIN);
                self.state = TextState::Dump(begun);
            }
            ControlReply::Watch(events) => return Some(Flow::Watch(events)),
            ControlReply::Close => return Some(Flow::Shutdown),
        }
        None
    }
}
