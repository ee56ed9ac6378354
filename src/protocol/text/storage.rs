//! `set add replace append prepend cas`: a line, then a block of data.

use super::number;
use super::parse_error::ParseError;
use super::token::{is_noreply, tokens};
use crate::limits::KEY_BYTES;
use crate::protocol::StoreMode;

/// A storage command's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage<'a> {
    /// What to do.
    pub mode: StoreMode,
    /// `cas`: store only over this CAS unique.
    pub compare: Option<u64>,
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
/// known, the data of a malformed command is discarded. `is_cas`: a CAS unique is wanted.
pub(super) fn parse(mode: StoreMode, is_cas: bool, args: &[u8]) -> Result<Storage<'_>, ParseError> {
    let mut parts = tokens(args);
    let (Some(key), Some(flags), Some(exptime), Some(len)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(ParseError::BAD_FORMAT);
    };
    let data_len = number::strict_i32(len)
        .filter(|len| (0..=i32::MAX - 2).contains(len))
        .ok_or(ParseError::BAD_FORMAT)? as usize;
    let noreply = is_noreply(args);
    let error = ParseError {
        discard_bytes: data_len + 2,
        ..ParseError::BAD_FORMAT.quiet(noreply)
    };
    if key.len() > KEY_BYTES {
        return Err(error);
    }
    let client_flags = number::client_flags(flags).ok_or(error)?;
    let exptime = i64::from(number::exptime(exptime).ok_or(error)?);
    let compare = if is_cas {
        Some(parts.next().and_then(number::strict_u64).ok_or(error)?)
    } else {
        None
    };
    Ok(Storage {
        mode,
        compare,
        key,
        client_flags,
        exptime,
        data_len,
        noreply,
    })
}
