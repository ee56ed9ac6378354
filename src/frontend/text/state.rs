//! What a connection of the text protocol is in the middle of.

use super::cachedump::Cachedump;
use super::dump::Dump;
use crate::frontend::executor::Receiving;
use crate::frontend::wait_state::WaitState;

/// The text protocol on one connection.
#[derive(Debug, Default)]
pub struct TextFrontend {
    pub(super) state: TextState,
}

#[derive(Debug, Default)]
pub(super) enum TextState {
    /// A command line comes next.
    #[default]
    Line,
    /// The rest of a long `get` line comes next; whether its keys are good is known.
    Keys(Retrieval),
    /// A value comes next.
    Value(Box<Receiving<PartialReply>>),
    /// Data to be discarded comes next.
    Discard(usize),
    /// Nothing comes next until all of a dump is sent.
    Dump(Box<Dump>),
    /// Nothing comes next until all of `stats cachedump` is sent.
    Cachedump(Box<Cachedump>),
}

impl TextFrontend {
    /// What the connection waits for, for `stats conns`; `tail` is input that was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> WaitState {
        match self.state {
            // The data of a small value is waited for together with its line.
            TextState::Line if !tail.is_empty() && memchr::memchr(b'\n', tail).is_some() => {
                WaitState::Value
            }
            TextState::Line | TextState::Keys(_) => WaitState::Read,
            TextState::Value(_) => WaitState::Value,
            TextState::Discard(_) => WaitState::Swallow,
            TextState::Dump(_) | TextState::Cachedump(_) => WaitState::Write,
        }
    }
}

/// What to do for each key of a retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retrieval {
    /// Show the CAS unique.
    pub(super) with_cas: bool,
    /// Give the item this deadline first, see [`command::deadline_ms`].
    pub(super) touch: Option<u64>,
    /// Show nothing: the line ends in an error, at its first key that is too long.
    pub(super) is_refused: bool,
}

/// How to reply once the value is complete, and its line end so far.
#[derive(Debug)]
pub(super) struct PartialReply {
    pub(super) noreply: bool,
    /// The words after `ms`.
    pub(super) meta: Option<Box<[u8]>>,
    pub(super) line_end: Vec<u8>,
}
