//! `stats`, and `stats cachedump`, which may take more than one turn.

use super::{Conversation, State, Step, Stop, say};
use crate::command::Cachedump;
use crate::limits::{DUMP_TURN_BYTES, DUMP_TURN_STEPS};
use crate::protocol::text::{cachedump, reply};

impl Conversation {
    /// Answers `stats`, or begins to.
    pub(super) fn stats(&mut self, args: &[&[u8]], step: &mut Step<'_, '_>) {
        let out = &mut step.out.bytes;
        match cachedump::parse(args) {
            None => {
                step.console.stats(args, out);
                step.turn.count_survey();
            }
            Some(_) if !step.console.dumps_keys() => {
                say(out, false, "CLIENT_ERROR stats cachedump not allowed");
            }
            Some(Err(fault)) => say(out, false, fault.reply),
            Some(Ok((class, items_max))) => {
                self.state = State::Cachedump(Box::new(Cachedump::new(class, items_max)));
            }
        }
    }

    /// Goes on with a dump as far as the turn's budget allows.
    pub(super) fn cachedump(&mut self, step: &mut Step<'_, '_>) -> Option<Stop> {
        let State::Cachedump(dump) = &mut self.state else {
            return None;
        };
        for _ in 0..DUMP_TURN_STEPS {
            if !dump.step(step.turn, &mut step.out.bytes) {
                step.out.bytes.extend_from_slice(reply::END);
                self.state = State::Line;
                return None;
            }
            if step.out.len() >= DUMP_TURN_BYTES {
                break;
            }
        }
        Some(Stop::Yield)
    }
}
