//! Which protocol a connection speaks: its first byte tells, unless `-B` is given; and whether it
//! has to authenticate first.

use super::binary::BinaryFrontend;
use super::control::ServerControl;
use super::flow::Flow;
use super::output::Output;
use super::text::TextFrontend;
use super::text_auth::TextLogin;
use crate::auth::Access;
use crate::command::CommandContext;
use crate::config::Protocol;
use crate::frontend::wait_state::WaitState;
use crate::protocol::binary::MAGIC_REQUEST;
use crate::store::Upload;

/// The protocol of one connection.
pub enum Frontend {
    /// Nothing has come in yet.
    Undecided,
    /// The text protocol, before the password.
    TextLogin(TextLogin),
    /// The text protocol.
    Text(TextFrontend),
    /// The binary protocol, which asks for passwords itself.
    Binary(BinaryFrontend),
}

impl Frontend {
    /// A connection without input so far.
    pub fn new(protocol: Protocol, access: &Access) -> Self {
        match protocol {
            Protocol::Auto => Self::Undecided,
            Protocol::Ascii => Self::text(access),
            Protocol::Binary => Self::binary(access),
        }
    }

    fn text(access: &Access) -> Self {
        match access.text {
            None => Self::Text(TextFrontend::default()),
            Some(_) => Self::TextLogin(TextLogin::default()),
        }
    }

    fn binary(access: &Access) -> Self {
        Self::Binary(match access.sasl {
            None => BinaryFrontend::default(),
            Some(_) => BinaryFrontend::locked(),
        })
    }

    /// Executes requests until one of the reasons to stop; returns the bytes used.
    pub fn run(
        &mut self,
        input: &[u8],
        ctx: &mut CommandContext<'_>,
        out: &mut Output,
        server: &dyn ServerControl,
        requests_max: u32,
    ) -> (usize, Flow) {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self {
                Self::Text(text) => {
                    let (more, flow) = text.run(rest, ctx, out, server, requests_max);
                    return (used + more, flow);
                }
                Self::Binary(binary) => {
                    let (more, flow) = binary.run(rest, ctx, out, server, requests_max);
                    return (used + more, flow);
                }
                Self::TextLogin(login) => {
                    let (more, flow) = login.run(rest, ctx, out, server, requests_max);
                    used += more;
                    match flow {
                        Some(flow) => return (used, flow),
                        None => *self = Self::Text(TextFrontend::default()),
                    }
                }
                Self::Undecided => match rest.first() {
                    None => return (used, Flow::NeedMore),
                    Some(&MAGIC_REQUEST) => *self = Self::binary(server.access()),
                    Some(_) => *self = Self::text(server.access()),
                },
            }
        }
    }

    /// A value that is being received, to be filled straight from the socket.
    pub fn receiving(&mut self) -> Option<&mut Upload> {
        match self {
            Self::Undecided | Self::TextLogin(_) => None,
            Self::Text(text) => text.upload_mut(),
            Self::Binary(binary) => binary.upload_mut(),
        }
        .filter(|upload| upload.missing_bytes() > 0)
    }

    /// A value that has not been stored yet, even if all of it has come and only its line end has
    /// not.
    pub fn upload(&self) -> Option<&Upload> {
        match self {
            Self::Undecided | Self::TextLogin(_) => None,
            Self::Text(text) => text.upload(),
            Self::Binary(binary) => binary.upload(),
        }
    }

    /// Gives up a value that is being received, and replies so. False if there is none.
    pub fn give_up_value(&mut self, out: &mut Output) -> bool {
        match self {
            Self::Undecided | Self::TextLogin(_) => false,
            Self::Text(text) => text.give_up_value(out),
            Self::Binary(binary) => binary.give_up_value(out),
        }
    }

    /// What the connection waits for, for `stats conns`; `tail` is input that was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> WaitState {
        match self {
            Self::Undecided | Self::TextLogin(_) => WaitState::Read,
            Self::Text(text) => text.waits_for(tail),
            Self::Binary(binary) => binary.waits_for(tail),
        }
    }

    /// Whether a value has come in whole with nothing to follow it: a request that is executed
    /// without another read.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Undecided | Self::TextLogin(_) | Self::Text(_) => false,
            Self::Binary(binary) => binary.is_complete(),
        }
    }
}
