//! From a header to a request, or to an error.

use nom::Parser;
use nom::number::complete::{be_u32, be_u64};

use super::header::{HEADER_BYTES, Header};
use super::opcode::Command;
use super::reply::Status;
use crate::limits::{BINARY_BODY_BYTES, KEY_BYTES};
use crate::protocol::StoreMode;

/// A storage command without its value, which follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHead<'a> {
    /// What to do.
    pub mode: StoreMode,
    /// 1 to 250 bytes of any kind.
    pub key: &'a [u8],
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// 0 is never, up to 30 days are relative seconds, more is a Unix time. Nothing is negative.
    pub exptime: u32,
    /// Bytes of the value.
    pub value_len: usize,
}

/// `sasl auth` and `sasl step` without the client's token, which follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sasl<'a> {
    /// Whether it is a step of what an earlier packet began.
    pub is_step: bool,
    /// The name of the mechanism.
    pub mechanism: &'a [u8],
    /// Bytes of the token.
    pub token_len: usize,
}

/// One request; the header says whether it is quiet and which version it is about.
#[allow(missing_docs, reason = "fields carry the protocol's own names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryRequest<'a> {
    /// The reply to a hit has the value, and the key if `with_key`. With an `exptime` the item is
    /// given that first.
    Get {
        key: &'a [u8],
        exptime: Option<u32>,
        with_key: bool,
    },
    /// Only gives it another expiry time.
    Touch {
        key: &'a [u8],
        exptime: u32,
    },
    /// A value follows.
    Store(StoreHead<'a>),
    Delete {
        key: &'a [u8],
    },
    /// A missing item is created with the number `initial`, unless there is no `exptime`.
    Arithmetic {
        key: &'a [u8],
        incr: bool,
        delta: u64,
        initial: u64,
        exptime: Option<u32>,
    },
    /// `flush_all`, at once without an `exptime`.
    Flush {
        exptime: u32,
    },
    /// Has a reply, so that a client knows that everything before it is done.
    Noop,
    Version,
    /// Statistics; the key is what follows the text protocol's `stats`.
    Stat {
        key: &'a [u8],
    },
    /// The names of the mechanisms.
    SaslList,
    /// A token follows.
    Sasl(Sasl<'a>),
    /// Close.
    Quit,
}

/// A packet that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketError {
    /// The status of the reply.
    pub status: Status,
    /// Bytes after the header to ignore; `None` to close instead, for where the next packet
    /// begins can no longer be trusted.
    pub discard_bytes: Option<usize>,
}

impl PacketError {
    /// The client must authenticate before it sends this packet.
    pub const UNAUTHENTICATED: Self = Self::closing(Status::AuthFailure);

    const CLOSE_INVALID: Self = Self::closing(Status::InvalidArguments);

    /// A packet with an unknown opcode; the connection continues after it.
    pub const fn unknown(header: &Header) -> Self {
        Self {
            status: Status::UnknownCommand,
            discard_bytes: Some(header.body_len),
        }
    }

    const fn closing(status: Status) -> Self {
        Self {
            status,
            discard_bytes: None,
        }
    }
}

/// An `incr` or `decr` with this expiry time makes no new number.
const NO_CREATION: u32 = u32::MAX;

impl Header {
    /// Finds what is wrong with a packet before anything but its header has come in.
    ///
    /// # Errors
    /// The error reply, and how to continue.
    pub fn check(&self) -> Result<Command, PacketError> {
        self.check_body()?;
        if self.key_len > KEY_BYTES {
            return Err(PacketError::CLOSE_INVALID);
        }
        let command = self.opcode.command();
        let command = command.ok_or_else(|| PacketError::unknown(self))?;
        if !self.fits(command) {
            return Err(PacketError::CLOSE_INVALID);
        }
        Ok(command)
    }

    /// Whether a client may send it that has not authenticated.
    pub fn is_open_to_all(&self) -> bool {
        matches!(
            self.opcode.command(),
            Some(Command::SaslList | Command::SaslAuth | Command::SaslStep | Command::Version)
        )
    }

    /// The part of [`Header::check`] that comes before anything else.
    ///
    /// # Errors
    /// As there.
    pub fn check_body(&self) -> Result<(), PacketError> {
        if self.key_len + self.extras_len > self.body_len {
            return Err(PacketError::closing(Status::UnknownCommand));
        }
        if self.body_len > BINARY_BODY_BYTES {
            return Err(PacketError::CLOSE_INVALID);
        }
        Ok(())
    }

    /// Whether the lengths are those that a command has.
    fn fits(&self, command: Command) -> bool {
        let has_key = self.key_len > 0;
        let has_value = self.value_len() > 0;
        match command {
            Command::Get | Command::GetKey | Command::Delete => {
                has_key && self.extras_len == 0 && !has_value
            }
            Command::Touch | Command::GetAndTouch | Command::GetKeyAndTouch => {
                has_key && self.extras_len == 4 && !has_value
            }
            Command::Set | Command::Add | Command::Replace => has_key && self.extras_len == 8,
            Command::Append | Command::Prepend | Command::SaslAuth | Command::SaslStep => {
                has_key && self.extras_len == 0
            }
            Command::Increment | Command::Decrement => {
                has_key && self.extras_len == 20 && !has_value
            }
            Command::Flush => matches!(self.extras_len, 0 | 4) && !has_key && !has_value,
            Command::Stat => self.extras_len == 0 && !has_value,
            Command::Noop | Command::Version | Command::Quit | Command::SaslList => {
                self.body_len == 0
            }
        }
    }
}

impl<'a> BinaryRequest<'a> {
    /// Reads a packet whose header has been checked. `packet` holds at least
    /// [`Header::head_len`] bytes; `None` if it does not.
    pub fn parse(header: &Header, command: Command, packet: &'a [u8]) -> Option<Self> {
        let extras_end = HEADER_BYTES + header.extras_len;
        let extras = packet.get(HEADER_BYTES..extras_end)?;
        let key = packet.get(extras_end..header.head_len())?;
        let request = match command {
            Command::Touch => Self::Touch {
                key,
                exptime: u32_of(extras)?,
            },
            Command::Get | Command::GetKey | Command::GetAndTouch | Command::GetKeyAndTouch => {
                Self::Get {
                    key,
                    exptime: u32_of(extras),
                    with_key: matches!(command, Command::GetKey | Command::GetKeyAndTouch),
                }
            }
            Command::Set => Self::Store(storage(StoreMode::Set, header, extras, key)?),
            Command::Add => Self::Store(storage(StoreMode::Add, header, extras, key)?),
            Command::Replace => Self::Store(storage(StoreMode::Replace, header, extras, key)?),
            Command::Append => Self::Store(storage(StoreMode::Append, header, extras, key)?),
            Command::Prepend => Self::Store(storage(StoreMode::Prepend, header, extras, key)?),
            Command::Delete => Self::Delete { key },
            Command::Increment => arithmetic(true, extras, key)?,
            Command::Decrement => arithmetic(false, extras, key)?,
            Command::Flush => Self::Flush {
                exptime: u32_of(extras).unwrap_or(0),
            },
            Command::Noop => Self::Noop,
            Command::Version => Self::Version,
            Command::Stat => Self::Stat { key },
            Command::Quit => Self::Quit,
            Command::SaslList => Self::SaslList,
            Command::SaslAuth | Command::SaslStep => Self::Sasl(Sasl {
                is_step: command == Command::SaslStep,
                mechanism: key,
                token_len: header.value_len(),
            }),
        };
        Some(request)
    }
}

fn u32_of(extras: &[u8]) -> Option<u32> {
    extras.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Commands without extras keep the flags and the deadline of the item.
fn storage<'a>(
    mode: StoreMode,
    header: &Header,
    extras: &[u8],
    key: &'a [u8],
) -> Option<StoreHead<'a>> {
    let (client_flags, exptime) = match extras {
        [] => (0, 0),
        _ => fields(extras, (be_u32, be_u32))?,
    };
    Some(StoreHead {
        mode,
        key,
        client_flags,
        exptime,
        value_len: header.value_len(),
    })
}

fn arithmetic<'a>(incr: bool, extras: &[u8], key: &'a [u8]) -> Option<BinaryRequest<'a>> {
    let (delta, initial, exptime) = fields(extras, (be_u64, be_u64, be_u32))?;
    Some(BinaryRequest::Arithmetic {
        key,
        incr,
        delta,
        initial,
        exptime: (exptime != NO_CREATION).then_some(exptime),
    })
}

fn fields<'a, T>(
    extras: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = nom::error::Error<&'a [u8]>>,
) -> Option<T> {
    parser.parse(extras).ok().map(|(_, fields)| fields)
}
