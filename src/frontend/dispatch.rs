//! Which protocol a connection speaks, the first byte tells unless `-B` has said so before; and
//! whether it has to authenticate first.

use super::binary::BinaryConversation;
use super::control::Console;
use super::output::Output;
use super::step::Stop;
use super::text::Conversation;
use super::text_auth::Login;
use crate::auth::Access;
use crate::command::Turn;
use crate::config::Protocol;
use crate::frontend::wait_state;
use crate::protocol::binary::MAGIC_REQUEST;
use crate::store::Upload;

/// The conversation of one connection in its protocol.
#[derive(Debug)]
pub enum Dialogue {
    /// Nothing has come in yet.
    Undecided,
    /// The text protocol, before the password.
    Login(Login),
    /// The text protocol.
    Text(Conversation),
    /// The binary protocol, which asks for passwords itself.
    Binary(BinaryConversation),
}

impl Dialogue {
    /// A conversation that has not begun.
    pub fn new(protocol: Protocol, access: &Access) -> Self {
        match protocol {
            Protocol::Auto => Self::Undecided,
            Protocol::Ascii => Self::text(access),
            Protocol::Binary => Self::binary(access),
        }
    }

    fn text(access: &Access) -> Self {
        match access.text {
            None => Self::Text(Conversation::default()),
            Some(_) => Self::Login(Login::default()),
        }
    }

    fn binary(access: &Access) -> Self {
        Self::Binary(match access.sasl {
            None => BinaryConversation::default(),
            Some(_) => BinaryConversation::locked(),
        })
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
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self {
                Self::Text(text) => {
                    let (more, stop) = text.run(rest, turn, out, console, requests_max);
                    return (used + more, stop);
                }
                Self::Binary(binary) => {
                    let (more, stop) = binary.run(rest, turn, out, console, requests_max);
                    return (used + more, stop);
                }
                Self::Login(login) => {
                    let (more, stop) = login.run(rest, turn, out, console, requests_max);
                    used += more;
                    match stop {
                        Some(stop) => return (used, stop),
                        None => *self = Self::Text(Conversation::default()),
                    }
                }
                Self::Undecided => match rest.first() {
                    None => return (used, Stop::NeedMore),
                    Some(&MAGIC_REQUEST) => *self = Self::binary(console.access()),
                    Some(_) => *self = Self::text(console.access()),
                },
            }
        }
    }

    /// A value that is being received, to be filled straight from the socket.
    pub fn receiving(&mut self) -> Option<&mut Upload> {
        match self {
            Self::Undecided | Self::Login(_) => None,
            Self::Text(text) => text.upload_mut(),
            Self::Binary(binary) => binary.upload_mut(),
        }
        .filter(|upload| upload.missing_bytes() > 0)
    }

    /// A value that has not been stored yet, even if all of it has come and only its line end has
    /// not.
    pub fn upload(&self) -> Option<&Upload> {
        match self {
            Self::Undecided | Self::Login(_) => None,
            Self::Text(text) => text.upload(),
            Self::Binary(binary) => binary.upload(),
        }
    }

    /// Gives up a value that is being received, which the client is told. False if there is none.
    pub fn give_up_value(&mut self, out: &mut Output) -> bool {
        match self {
            Self::Undecided | Self::Login(_) => false,
            Self::Text(text) => text.give_up_value(out),
            Self::Binary(binary) => binary.give_up_value(out),
        }
    }

    /// What is waited for, as `stats conns` tells it; `tail` has come in and was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> wait_state::State {
        match self {
            Self::Undecided | Self::Login(_) => wait_state::State::Read,
            Self::Text(text) => text.waits_for(tail),
            Self::Binary(binary) => binary.waits_for(tail),
        }
    }

    /// Whether a value has come in whole with nothing to follow it: a request that is executed
    /// without another read.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Undecided | Self::Login(_) | Self::Text(_) => false,
            Self::Binary(binary) => binary.is_complete(),
        }
    }
}
