//! The text protocol of one connection, without its socket: bytes in, replies out.
//!
//! It can stop before any request, and between the keys of a long `get`. The caller keeps the input
//! that was not executed and passes it again.

mod admin;
mod cachedump;
mod consult;
mod dump;
mod line;
mod reply;
mod retrieval;
mod state;
mod stats;
mod store_reply;
mod value;

use super::control::ServerControl;
use super::executor::Executor;
use super::flow::Flow;
use super::output::Output;
use crate::command::{CommandContext, Stored};
use crate::store::Upload;
pub(crate) use dump::Dump;
pub(super) use reply::stored_reply;
pub use state::TextFrontend;
use state::TextState;
pub(super) use store_reply::{StoreCommand, StoreReply};

impl TextFrontend {
    /// Executes requests until one of the reasons to stop; returns the bytes used.
    pub fn run(
        &mut self,
        input: &[u8],
        ctx: &mut CommandContext<'_>,
        out: &mut Output,
        server: &dyn ServerControl,
        requests_max: u32,
    ) -> (usize, Flow) {
        let mut exec = Executor { ctx, out, server };
        let mut used = 0;
        let mut requests = 0;
        loop {
            if used == input.len()
                && !matches!(self.state, TextState::Dump(_) | TextState::Cachedump(_))
            {
                return (used, Flow::NeedMore);
            }
            if let Some(flow) = exec.end_of_turn(requests == requests_max) {
                return (used, flow);
            }
            let (taken, flow) = self.step(&input[used..], &mut exec);
            used += taken;
            if let Some(flow) = flow {
                return (used, flow);
            }
            requests += 1;
        }
    }

    /// A value that is being received.
    pub fn upload_mut(&mut self) -> Option<&mut Upload> {
        match &mut self.state {
            TextState::Value(receiving) => Some(&mut receiving.upload),
            _ => None,
        }
    }

    /// A value that has not been stored yet.
    pub fn upload(&self) -> Option<&Upload> {
        match &self.state {
            TextState::Value(receiving) => Some(&receiving.upload),
            _ => None,
        }
    }

    /// Gives up a value that is being received, because its memory is needed, and replies so. The
    /// stored item stays, as when a client leaves in the middle of a value.
    pub fn give_up_value(&mut self, out: &mut Output) -> bool {
        let TextState::Value(receiving) = std::mem::take(&mut self.state) else {
            return false;
        };
        stored_reply(&mut out.bytes, receiving.reply.noreply, Stored::NoMemory);
        true
    }

    fn step(&mut self, input: &[u8], exec: &mut Executor<'_, '_>) -> (usize, Option<Flow>) {
        match &mut self.state {
            TextState::Line => self.line(input, exec),
            TextState::Keys(how) => {
                let how = *how;
                self.more_keys(input, how, exec)
            }
            TextState::Cachedump(_) => (0, self.cachedump(exec)),
            TextState::Value(_) => (self.value(input, exec), None),
            TextState::Discard(left) => {
                let taken = input.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.state = TextState::Line;
                }
                (taken, None)
            }
            TextState::Dump(dump) => {
                let flow = dump.go_on(exec.ctx, &mut exec.out.bytes);
                if flow.is_none() {
                    self.state = TextState::Line;
                }
                (0, flow)
            }
        }
    }
}
