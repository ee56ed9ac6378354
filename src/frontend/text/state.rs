//! What a connection of the text protocol is in the middle of.

use super::cachedump::Cachedump;
use super::dump::Dump;
use crate::frontend::executor::Receiving;

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

impl Retrieval {
    /// Shows items, and changes nothing.
    pub(super) fn get(with_cas: bool) -> Self {
        Self {
            with_cas,
            touch: None,
            is_refused: false,
        }
    }
}

/// How to reply once the value is complete, and its line end so far.
#[derive(Debug)]
pub(super) struct PartialReply {
    pub(super) noreply: bool,
    /// The words after `ms`.
    pub(super) meta: Option<Box<[u8]>>,
    pub(super) line_end: Vec<u8>,
}
