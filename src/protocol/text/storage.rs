//! `set add replace append prepend cas`: a line, then a block of data.

use super::number;
use super::request::Fault;
use super::token::{is_noreply, tokens};
use crate::limits::KEY_BYTES;

/// What a storage command does with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Store in any case.
    Set,
    /// Store only where nothing is.
    Add,
    /// Store only where something is.
    Replace,
    /// Put the data behind what is there.
    Append,
    /// Put the data before what is there.
    Prepend,
    /// Store only over this very version.
    Cas(u64),
}

/// A storage command's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage<'a> {
    /// What to do.
    pub verb: Verb,
    /// 1 to 250 bytes.
    pub key: &'a [u8],
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// As the client wrote it, see `command::exptime`.
    pub exptime: i64,
    /// Bytes of data that follow, without their CRLF.
    pub data_len: usize,
    /// No reply is wanted.
    pub noreply: bool,
}

/// `<key> <flags> <exptime> <bytes> [<cas>] [noreply]`. The length is read first: once it is
/// known, a fault elsewhere swallows the data.
pub(super) fn parse(verb: Verb, args: &[u8]) -> Result<Storage<'_>, Fault> {
    let mut parts = tokens(args);
    let (Some(key), Some(flags), Some(exptime), Some(len)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::BAD_FORMAT);
    };
    let data_len = number::strict_i32(len)
        .filter(|len| (0..=i32::MAX - 2).contains(len))
        .ok_or(Fault::BAD_FORMAT)? as usize;
    let noreply = is_noreply(args);
    let fault = Fault {
        swallow_bytes: data_len + 2,
        ..Fault::BAD_FORMAT.quiet(noreply)
    };
    if key.len() > KEY_BYTES {
        return Err(fault);
    }
    let client_flags = number::client_flags(flags).ok_or(fault)?;
    let exptime = i64::from(number::exptime(exptime).ok_or(fault)?);
    let verb = match verb {
        Verb::Cas(_) => Verb::Cas(parts.next().and_then(number::strict_u64).ok_or(fault)?),
        other => other,
    };
    Ok(Storage {
        verb,
        key,
        client_flags,
        exptime,
        data_len,
        noreply,
    })
}
