//! A dump in a conversation: it goes on from turn to turn, and the client's next command waits.

use super::{State, Step, Stop};
use crate::command;
use crate::frontend::crawler::DumpTurn;
use crate::protocol::text::{Classes, DumpFormat, dump};
use crate::store::Walk;

/// A dump and how far it has come.
#[derive(Debug)]
pub struct Dump {
    format: DumpFormat,
    classes: Classes,
    turn: DumpTurn,
    walk: Walk,
}

impl Dump {
    pub(crate) fn new(format: DumpFormat, classes: Classes, turn: DumpTurn) -> Self {
        Self {
            format,
            classes,
            turn,
            walk: Walk::default(),
        }
    }

    /// Answers that it begins; what the conversation is in from now on.
    pub(super) fn begin(self: Box<Self>, step: &mut Step<'_, '_>) -> State {
        step.out.bytes.extend_from_slice(dump::BEGIN);
        State::Dump(self)
    }

    /// Goes on; why the turn ends, or nothing if the dump does.
    pub(super) fn go_on(&mut self, step: &mut Step<'_, '_>) -> Option<Stop> {
        if !self.turn.advance(step.turn.now().boot_ms) {
            return Some(Stop::Close);
        }
        let out = &mut step.out.bytes;
        if command::dump(step.turn, out, &mut self.walk, self.format, self.classes) {
            return Some(Stop::Yield);
        }
        out.extend_from_slice(match self.format {
            DumpFormat::Meta => dump::META_END,
            DumpFormat::Mg => dump::MG_END,
        });
        None
    }
}
