//! A meta command's line, parsed.

use std::borrow::Cow;

use super::key::{self, Key};
use super::options::{BAD_FORMAT, Error, Flags, Options};
use crate::limits::KEY_BYTES;
use crate::protocol::text::{ParseError, strict_i32, tokens};

const BAD_MODE_SET: &str = "CLIENT_ERROR invalid mode for ms M token";
const BAD_MODE_ARITHMETIC: &str = "CLIENT_ERROR invalid mode for ma M token";
const BAD_FLAG_ARITHMETIC: &str = "CLIENT_ERROR invalid or duplicate flag";
const LONG_OPAQUE: &str = "CLIENT_ERROR opaque token too long";

/// Which command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVerb {
    /// `mg`
    Get,
    /// `ms`
    Set,
    /// `md`
    Delete,
    /// `ma`
    Arithmetic,
}

/// `mg`, `ms`, `md` or `ma`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaRequest<'a> {
    /// Which of them.
    pub verb: MetaVerb,
    /// The key.
    pub key: Key<'a>,
    /// `ms`: bytes of data that follow, without their CRLF.
    pub data_len: usize,
    /// What the flags say.
    pub options: Options,
    /// The flags in their order.
    pub flags: Flags<'a>,
}

/// Parses what follows the command's word.
pub fn parse(verb: MetaVerb, args: &[u8]) -> Result<MetaRequest<'_>, ParseError> {
    let (key, rest) = word(args).ok_or(ParseError::saying(BAD_FORMAT))?;
    let (data_len, rest) = match verb {
        MetaVerb::Set => data_len(rest).ok_or(ParseError::saying(BAD_FORMAT))?,
        _ => (0, rest),
    };
    let words_before = if verb == MetaVerb::Set { 3 } else { 2 };
    let flags = Flags(rest);
    let mut options = match Options::read(key, flags, words_before) {
        Some(options) if key.len() <= KEY_BYTES && bad_mode(verb, options.mode).is_none() => {
            options
        }
        _ => return Err(parse_error(verb, key, data_len, flags, words_before)),
    };
    let decoded = options.binary_key.take();
    let key = Key {
        is_base64: decoded.is_some(),
        bytes: decoded.map_or(Cow::Borrowed(key), Cow::Owned),
    };
    Ok(MetaRequest {
        verb,
        key,
        data_len,
        options,
        flags,
    })
}

/// The error of a request that is refused, in the order in which memcached checks.
#[cold]
fn parse_error(
    verb: MetaVerb,
    key: &[u8],
    data_len: usize,
    flags: Flags<'_>,
    words_before: usize,
) -> ParseError {
    if !flags.are_flags(words_before) {
        return ParseError::saying(BAD_FORMAT);
    }
    let options = if key.len() > KEY_BYTES {
        Err(Error(BAD_FORMAT))
    } else {
        Options::parse(key, flags, words_before)
    };
    let words = match options {
        Err(_) if verb == MetaVerb::Arithmetic => BAD_FLAG_ARITHMETIC,
        Err(Error(words)) => words,
        Ok(options) => bad_mode(verb, options.mode).unwrap_or(LONG_OPAQUE),
    };
    let discard_bytes = match verb {
        MetaVerb::Set => data_len + 2,
        _ => 0,
    };
    ParseError {
        discard_bytes,
        ..ParseError::saying(words)
    }
}

/// The modes memcached knows; other commands do not look at theirs.
fn bad_mode(verb: MetaVerb, mode: Option<u8>) -> Option<&'static str> {
    match (verb, mode?) {
        (MetaVerb::Set, b'E' | b'A' | b'P' | b'R' | b'S') => None,
        (MetaVerb::Set, _) => Some(BAD_MODE_SET),
        (MetaVerb::Arithmetic, b'I' | b'+' | b'D' | b'-') => None,
        (MetaVerb::Arithmetic, _) => Some(BAD_MODE_ARITHMETIC),
        (MetaVerb::Get | MetaVerb::Delete, _) => None,
    }
}

fn data_len(args: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest) = word(args)?;
    let len = strict_i32(len).filter(|len| (0..=i32::MAX - 2).contains(len))?;
    Some((len as usize, rest))
}

/// `me <key> [b]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection<'a> {
    /// The key; only an item knows whether it is shown in base64.
    pub key: Cow<'a, [u8]>,
}

/// Parses what follows `me`. Flags other than a first `b` mean nothing.
pub fn parse_inspection(args: &[u8]) -> Result<Inspection<'_>, ParseError> {
    let (key, rest) = word(args).ok_or(ParseError::saying(BAD_FORMAT))?;
    let flags = Flags(rest);
    if !flags.are_flags(2) || key.len() > KEY_BYTES {
        return Err(ParseError::saying(BAD_FORMAT));
    }
    if tokens(rest).next() != Some(b"b") {
        return Ok(Inspection { key: key.into() });
    }
    let key = key::decode(key).ok_or(ParseError::saying(BAD_FORMAT))?;
    Ok(Inspection { key: key.into() })
}

/// The first word and what follows it.
fn word(args: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = args.iter().position(|&byte| byte != b' ')?;
    let word = &args[start..];
    let end = memchr::memchr(b' ', word).unwrap_or(word.len());
    Some(word.split_at(end))
}
