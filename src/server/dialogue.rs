//! Which protocol a connection speaks: the first byte tells, unless `-B` has said so before.

use super::binary::BinaryConversation;
use super::console::Console;
use super::conversation::{Conversation, Stop};
use super::registry;
use crate::command::{Output, Turn};
use crate::config::Protocol;
use crate::protocol::binary::MAGIC_REQUEST;
use crate::store::Incoming;

/// The conversation of one connection in its protocol.
#[derive(Debug)]
pub enum Dialogue {
    /// Nothing has come in yet.
    Undecided,
    /// The text protocol.
    Text(Conversation),
    /// The binary protocol.
    Binary(BinaryConversation),
}

impl Dialogue {
    /// A conversation that has not begun.
    pub fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Auto => Self::Undecided,
            Protocol::Ascii => Self::Text(Conversation::default()),
            Protocol::Binary => Self::Binary(BinaryConversation::default()),
        }
    }

    /// Executes requests until one of the reasons to stop; returns the bytes used.
    pub fn run(
        &mut self,
        input: &[u8],
        turn: &mut Turn<'_>,
        out: &mut Output,
        console: &dyn Console,
        requests_max: u32,
    ) -> (usize, Stop) {
        if matches!(self, Self::Undecided) {
            *self = match input.first() {
                None => return (0, Stop::NeedMore),
                Some(&MAGIC_REQUEST) => Self::Binary(BinaryConversation::default()),
                Some(_) => Self::Text(Conversation::default()),
            };
        }
        match self {
            Self::Undecided => (0, Stop::NeedMore),
            Self::Text(text) => text.run(input, turn, out, console, requests_max),
            Self::Binary(binary) => binary.run(input, turn, out, console, requests_max),
        }
    }

    /// A value that is being received, to be filled straight from the socket.
    pub fn receiving(&mut self) -> Option<&mut Incoming> {
        match self {
            Self::Undecided => None,
            Self::Text(text) => text.receiving(),
            Self::Binary(binary) => binary.receiving(),
        }
    }

    /// What is waited for, as `stats conns` tells it; `tail` has come in and was not executed.
    pub(super) fn waits_for(&self, tail: &[u8]) -> registry::State {
        match self {
            Self::Undecided => registry::State::Read,
            Self::Text(text) => text.waits_for(tail),
            Self::Binary(binary) => binary.waits_for(tail),
        }
    }

    /// Whether a value has come in whole with nothing to follow it: a request that is executed
    /// without another read.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Undecided | Self::Text(_) => false,
            Self::Binary(binary) => binary.is_complete(),
        }
    }
}
