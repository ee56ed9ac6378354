//! Replies of the binary protocol, as bytes.

use super::header::Header;

const MAGIC_REPLY: u8 = 0x81;

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// Nothing is there.
    NotFound = 1,
    /// Something, or another version, is there.
    Exists = 2,
    /// Larger than `-I`.
    TooLarge = 3,
    /// The packet is no such command's.
    InvalidArguments = 4,
    /// There was nothing to append to, or no room for more.
    NotStored = 5,
    /// The value is not a number.
    NonNumeric = 6,
    /// Not authenticated.
    AuthFailure = 0x20,
    /// Half authenticated: the client is to go on.
    AuthContinue = 0x21,
    /// No such opcode.
    UnknownCommand = 0x81,
    /// No memory.
    NoMemory = 0x82,
}

impl Status {
    /// The body of a reply with this status, in memcached's words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ok | Self::AuthContinue => "",
            Self::NotFound => "Not found",
            Self::Exists => "Data exists for key.",
            Self::TooLarge => "Too large.",
            Self::InvalidArguments => "Invalid arguments",
            Self::NotStored => "Not stored.",
            Self::NonNumeric => "Non-numeric server-side value for incr or decr",
            Self::AuthFailure => "Auth failure.",
            Self::UnknownCommand => "Unknown command",
            Self::NoMemory => "Out of memory",
        }
    }
}

/// A reply without a body.
pub fn done(out: &mut Vec<u8>, header: &Header, cas: u64) {
    head(out, header, Status::Ok, &[], &[], 0, cas);
}

/// A reply whose body is a value.
pub fn value(out: &mut Vec<u8>, header: &Header, value: &[u8], cas: u64) {
    body(out, header, Status::Ok, value, cas);
}

/// A reply that says what went wrong, in memcached's words.
pub fn error(out: &mut Vec<u8>, header: &Header, status: Status) {
    error_saying(out, header, status, status.words());
}

/// An error whose text is not that of its status.
pub fn error_saying(out: &mut Vec<u8>, header: &Header, status: Status, words: &str) {
    body(out, header, status, words.as_bytes(), 0);
}

fn body(out: &mut Vec<u8>, header: &Header, status: Status, body: &[u8], cas: u64) {
    head(out, header, status, &[], &[], body.len(), cas);
    out.extend_from_slice(body);
}

/// A miss that names its key.
pub fn missing_key(out: &mut Vec<u8>, header: &Header, key: &[u8]) {
    head(out, header, Status::NotFound, &[], key, 0, 0);
}

/// Everything of a hit before its value, which the caller appends.
pub fn hit_head(
    out: &mut Vec<u8>,
    header: &Header,
    key: &[u8],
    client_flags: u32,
    value_len: usize,
    cas: u64,
) {
    let extras = client_flags.to_be_bytes();
    head(out, header, Status::Ok, &extras, key, value_len, cas);
}

/// One statistic, which is a packet of its own; with an empty name and value, the end of them.
pub fn stat(out: &mut Vec<u8>, header: &Header, name: &[u8], value: &[u8]) {
    head(out, header, Status::Ok, &[], name, value.len(), 0);
    out.extend_from_slice(value);
}

/// All of a reply but its value.
fn head(
    out: &mut Vec<u8>,
    header: &Header,
    status: Status,
    extras: &[u8],
    key: &[u8],
    value_len: usize,
    cas: u64,
) {
    // Keys have 250 bytes and values a gibibyte at most.
    let body_len = (extras.len() + key.len() + value_len) as u32;
    let mut bytes = [0; super::HEADER_BYTES];
    bytes[0] = MAGIC_REPLY;
    bytes[1] = header.opcode.0;
    bytes[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    bytes[4] = extras.len() as u8;
    bytes[6..8].copy_from_slice(&(status as u16).to_be_bytes());
    bytes[8..12].copy_from_slice(&body_len.to_be_bytes());
    bytes[12..16].copy_from_slice(&header.opaque);
    bytes[16..24].copy_from_slice(&cas.to_be_bytes());
    for part in [&bytes, extras, key] {
        out.extend_from_slice(part);
    }
}
