//! `stats`, and `stats cachedump`, which may take more than one turn.

use super::cachedump::Cachedump;
use super::reply::say;
use super::state::{TextFrontend, TextState};
use crate::frontend::executor::Executor;
use crate::frontend::flow::Flow;
use crate::limits::{DUMP_TURN_BYTES, DUMP_TURN_STEPS};
use crate::protocol::text::{cachedump, reply};

impl TextFrontend {
    /// Answers `stats`, or begins to.
    pub(super) fn stats(&mut self, args: &[&[u8]], exec: &mut Executor<'_, '_>) {
        let out = &mut exec.out.bytes;
        match cachedump::parse(args) {
            None => {
                exec.server.stats(args, out);
                exec.ctx.end_turn();
            }
            Some(_) if !exec.server.dumps_keys() => {
                say(out, false, "CLIENT_ERROR stats cachedump not allowed");
            }
            Some(Err(error)) => say(out, false, error.reply),
            Some(Ok((class, items_max))) => {
                self.state = TextState::Cachedump(Box::new(Cachedump::new(class, items_max)));
            }
        }
    }

    /// Continues a dump within the turn's budget.
    pub(super) fn cachedump(&mut self, exec: &mut Executor<'_, '_>) -> Option<Flow> {
        let TextState::Cachedump(dump) = &mut self.state else {
            return None;
        };
        for _ in 0..DUMP_TURN_STEPS {
            if !dump.step(exec.ctx, &mut exec.out.bytes) {
                exec.out.bytes.extend_from_slice(reply::END);
                self.state = TextState::Line;
                return None;
            }
            if exec.out.len() >= DUMP_TURN_BYTES {
                break;
            }
        }
        Some(Flow::Yield)
    }
}
