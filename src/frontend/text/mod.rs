//! The text conversation of one connection, without its socket: bytes in, replies out.
//!
//! It can stop before any request, and between the keys of a long `get`; what it has not executed
//! stays with the caller and is shown again.

mod admin;
mod cachedump;
mod dump;
mod line;
mod reply;
mod retrieval;
mod value;
mod waiting;

use super::control::Console;
use super::output::Output;
use super::step::{Receiving, Step, Stop};
use crate::command::{Stored, Turn};
use crate::store::Upload;
use cachedump::Cachedump;
pub(crate) use dump::Dump;
pub(super) use reply::{say, stored_reply};
use retrieval::Retrieval;
use value::PartialReply;
pub(super) use value::{StoreCommand, StoreReply};

/// What has been agreed on so far.
#[derive(Debug, Default)]
pub struct Conversation {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// A command line comes next.
    #[default]
    Line,
    /// The rest of a long `get` line comes next; whether its keys are good is known.
    Keys(Retrieval),
    /// A value comes next.
    Value(Box<Receiving<PartialReply>>),
    /// Data nobody wants comes next.
    Swallow(usize),
    /// Nothing comes next until all of a dump is sent.
    Dump(Box<Dump>),
    /// The same of `stats cachedump`.
    Cachedump(Box<Cachedump>),
}

impl Conversation {
    /// Executes requests until one of the reasons to stop; returns the bytes used.
    pub fn run(
        &mut self,
        input: &[u8],
        turn: &mut Turn<'_>,
        out: &mut Output,
        console: &dyn Console,
        requests_max: u32,
    ) -> (usize, Stop) {
        let mut step = Step { turn, out, console };
        let mut used = 0;
        let mut requests = 0;
        loop {
            if used == input.len() && !matches!(self.state, State::Dump(_) | State::Cachedump(_)) {
                return (used, Stop::NeedMore);
            }
            let spent_bytes = step.out.len() + step.turn.spent_bytes;
            if spent_bytes >= step.turn.output_bytes_max || requests == requests_max {
                return (used, Stop::Yield);
            }
            let (taken, stop) = self.step(&input[used..], &mut step);
            used += taken;
            if let Some(stop) = stop {
                return (used, stop);
            }
            requests += 1;
        }
    }

    /// A value that is being received.
    pub fn upload_mut(&mut self) -> Option<&mut Upload> {
        match &mut self.state {
            State::Value(receiving) => Some(&mut receiving.upload),
            _ => None,
        }
    }

    /// A value that has not been stored yet.
    pub fn upload(&self) -> Option<&Upload> {
        match &self.state {
            State::Value(receiving) => Some(&receiving.upload),
            _ => None,
        }
    }

    /// Gives up a value that is being received, which the client is told: its memory is needed.
    /// What was stored under its key stays, as when a client leaves in the middle of a value.
    pub fn give_up_value(&mut self, out: &mut Output) -> bool {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return false;
        };
        stored_reply(&mut out.bytes, receiving.reply.noreply, Stored::NoMemory);
        true
    }

    fn step(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> (usize, Option<Stop>) {
        match &mut self.state {
            State::Line => self.line(input, step),
            State::Keys(how) => {
                let how = *how;
                self.more_keys(input, how, step)
            }
            State::Cachedump(_) => (0, self.cachedump(step)),
            State::Value(_) => (self.value(input, step), None),
            State::Swallow(left) => {
                let taken = input.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.state = State::Line;
                }
                (taken, None)
            }
            State::Dump(dump) => {
                let stop = dump.go_on(step);
                if stop.is_none() {
                    self.state = State::Line;
                }
                (0, stop)
            }
        }
    }
}
