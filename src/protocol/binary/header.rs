//! The 24 bytes every packet begins with, in network byte order.
//!
//! ```text
//!  0 magic      1 opcode     2 key length (2)
//!  4 extras     5 data type  6 vbucket, or the status of a reply (2)
//!  8 body length (4): extras, key and value together
//! 12 opaque (4): comes back as it was sent
//! 16 CAS unique (8)
//! ```

use nom::IResult;
use nom::Parser;
use nom::bytes::complete::{tag, take};
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};

use super::opcode::Opcode;

/// Length of a header.
pub const HEADER_BYTES: usize = 24;
/// The first byte of every request. No text command begins with it.
pub const MAGIC_REQUEST: u8 = 0x80;

/// The header of a request. Data type and vbucket mean nothing to memcached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is asked for.
    pub opcode: Opcode,
    /// Bytes of extras, which follow the header.
    pub extras_len: usize,
    /// Bytes of the key, which follows the extras.
    pub key_len: usize,
    /// Bytes of extras, key and value.
    pub body_len: usize,
    /// Comes back as it was sent.
    pub opaque: [u8; 4],
    /// The version to act on, 0 for any.
    pub cas: u64,
}

impl Header {
    /// Reads the header at the front of `input`; `None` if it is short or no request's.
    pub fn parse(input: &[u8]) -> Option<Self> {
        header(input).ok().map(|(_, header)| header)
    }

    /// Bytes that must be there before the request can be read: all but the value.
    pub fn head_len(&self) -> usize {
        HEADER_BYTES + self.extras_len + self.key_len
    }

    /// Bytes of the value. The header must have been checked.
    pub fn value_len(&self) -> usize {
        self.body_len
            .saturating_sub(self.extras_len)
            .saturating_sub(self.key_len)
    }
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    let magic = tag([MAGIC_REQUEST].as_slice());
    let lengths = (be_u16, be_u8);
    let (rest, (_, opcode, (key_len, extras_len), _, body_len, opaque, cas)) = (
        magic,
        be_u8,
        lengths,
        take(3usize),
        be_u32,
        take(4usize),
        be_u64,
    )
        .parse(input)?;
    let header = Header {
        opcode: Opcode(opcode),
        extras_len: usize::from(extras_len),
        key_len: usize::from(key_len),
        body_len: body_len as usize,
        opaque: opaque.try_into().unwrap_or_default(),
        cas,
    };
    Ok((rest, header))
}
