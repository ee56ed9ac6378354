//! A command line, parsed: dispatch on its first word, then one grammar per command.

use super::admin::words::Words;
use super::admin::{self, Admin};
use super::number;
use super::parse_error::ParseError;
use super::storage::{self, Storage};
use super::token::{is_noreply, last_token, tokens};
use super::watch;
use crate::limits::{KEY_BYTES, LINE_BYTES_MIN};
use crate::protocol::{StoreMode, meta};

/// The keys of a retrieval command, not split yet: there may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys<'a>(pub &'a [u8]);

impl<'a> Keys<'a> {
    /// The next key and the rest after it.
    pub fn split_first(self) -> Option<(&'a [u8], Self)> {
        let start = self.0.iter().position(|&byte| byte != b' ')?;
        let rest = &self.0[start..];
        let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        Some((&rest[..end], Keys(&rest[end..])))
    }

    fn is_empty(self) -> bool {
        self.0.iter().all(|&byte| byte == b' ')
    }

    /// Whether every key is short enough; a longer one makes the whole reply an error.
    fn are_valid(self) -> bool {
        self.0.len() <= KEY_BYTES || tokens(self.0).all(|key| key.len() <= KEY_BYTES)
    }
}

/// One command line.
#[allow(missing_docs, reason = "fields carry the protocol's own names")]
#[derive(Clone, Debug, PartialEq)]
pub enum TextRequest<'a> {
    /// `get`, `gets`, `gat` and `gats`: the latter with an exptime, those in `s` with the CAS
    /// unique. With a key that `is_too_long`, those before it are looked up and touched, but
    /// nothing is shown.
    Get {
        exptime: Option<i32>,
        keys: Keys<'a>,
        with_cas: bool,
        is_too_long: bool,
    },
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`: data follows.
    Store(Storage<'a>),
    Delete {
        key: &'a [u8],
        noreply: bool,
    },
    /// `incr` and `decr`.
    Arithmetic {
        key: &'a [u8],
        delta: u64,
        incr: bool,
        noreply: bool,
    },
    Touch {
        key: &'a [u8],
        exptime: i32,
        noreply: bool,
    },
    FlushAll {
        exptime: i32,
        noreply: bool,
    },
    /// Administrative commands, see [`Admin`].
    Admin {
        command: Admin,
        noreply: bool,
    },
    /// `mg`, `ms`, `md` and `ma`, with what follows; see [`meta::parse`].
    Meta {
        verb: meta::MetaVerb,
        args: &'a [u8],
    },
    /// `mn`.
    MetaNothing,
    /// `me`, with what follows; see [`meta::parse_inspection`].
    MetaInspect {
        args: &'a [u8],
    },
    Version,
    Quit,
    /// `stats`, with the words after it.
    Stats {
        args: Vec<&'a [u8]>,
    },
}

/// Parses one line, given with its line end (`\r\n` or `\n`).
pub fn parse(line_with_end: &[u8]) -> Result<TextRequest<'_>, ParseError> {
    if line_with_end.len() < LINE_BYTES_MIN {
        return Err(ParseError::BAD_FORMAT);
    }
    let line = line_with_end.strip_suffix(b"\n").unwrap_or(line_with_end);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Words are short: a search made for long lines would take longer.
    let word_len = line.iter().position(|&byte| byte == b' ');
    let word_len = word_len.unwrap_or(line.len());
    let (word, args) = line.split_at(word_len);
    match word {
        b"get" => retrieval(args, false),
        b"gets" => retrieval(args, true),
        b"gat" => get_and_touch(args, false),
        b"gats" => get_and_touch(args, true),
        b"set" => storing(StoreMode::Set, args),
        b"add" => storing(StoreMode::Add, args),
        b"replace" => storing(StoreMode::Replace, args),
        b"append" => storing(StoreMode::Append, args),
        b"prepend" => storing(StoreMode::Prepend, args),
        b"cas" => storage::parse(StoreMode::Set, true, args).map(TextRequest::Store),
        b"delete" => delete(args),
        b"incr" => arithmetic(args, true),
        b"decr" => arithmetic(args, false),
        b"touch" => touch(args),
        b"mg" => Ok(meta(meta::MetaVerb::Get, args)),
        b"ms" => Ok(meta(meta::MetaVerb::Set, args)),
        b"md" => Ok(meta(meta::MetaVerb::Delete, args)),
        b"ma" => Ok(meta(meta::MetaVerb::Arithmetic, args)),
        b"mn" => Ok(TextRequest::MetaNothing),
        b"me" => Ok(TextRequest::MetaInspect { args }),
        b"flush_all" => flush_all(args),
        b"version" => Ok(TextRequest::Version),
        b"quit" => Ok(TextRequest::Quit),
        b"cache_memlimit" => administrative(args, admin::memory_limit),
        b"lru" => administrative(args, |words| admin::lru(words).map(Admin::Lru)),
        b"lru_crawler" => administrative(args, |words| {
            admin::crawler::parse(words).map(Admin::Crawler)
        }),
        b"refresh_certs" => administrative(args, |_| Ok(Admin::RefreshCerts)),
        b"shutdown" => administrative(args, |words| Ok(admin::shutdown(words))),
        b"slabs" => administrative(args, |words| admin::slabs(words).map(Admin::Slabs)),
        b"verbosity" => administrative(args, admin::verbosity),
        b"watch" => Ok(watch(args)),
        b"stats" => Ok(TextRequest::Stats {
            args: tokens(args).collect(),
        }),
        _ => Err(unknown(line)),
    }
}

/// An unknown command; the last word identifies an HTTP client.
fn unknown(line: &[u8]) -> ParseError {
    if tokens(line).nth(1).is_some() && last_token(line).starts_with(b"HTTP/") {
        return ParseError::NOT_OURS;
    }
    ParseError::UNKNOWN.quiet(is_noreply(line))
}

fn storing(mode: StoreMode, args: &[u8]) -> Result<TextRequest<'_>, ParseError> {
    storage::parse(mode, false, args).map(TextRequest::Store)
}

fn meta(verb: meta::MetaVerb, args: &[u8]) -> TextRequest<'_> {
    TextRequest::Meta { verb, args }
}

/// Parses an administrative command by what reads its words.
fn administrative<'a>(
    args: &'a [u8],
    command: impl FnOnce(&Words<'a>) -> Result<Admin, ParseError>,
) -> Result<TextRequest<'a>, ParseError> {
    let noreply = is_noreply(args);
    let request = command(&Words::new(args));
    let request = request.map(|command| TextRequest::Admin { command, noreply });
    request.map_err(|error| error.quiet(noreply))
}

/// A watcher cannot ask for silence: to `watch`, `noreply` is one more word.
fn watch(args: &[u8]) -> TextRequest<'_> {
    TextRequest::Admin {
        command: Admin::Watch(watch::parse(args)),
        noreply: false,
    }
}

fn retrieval(args: &[u8], with_cas: bool) -> Result<TextRequest<'_>, ParseError> {
    keys_of(Keys(args), None, with_cas)
}

fn get_and_touch(args: &[u8], with_cas: bool) -> Result<TextRequest<'_>, ParseError> {
    let (exptime, keys) = Keys(args).split_first().ok_or(ParseError::BAD_FORMAT)?;
    keys_of(keys, Some(exptime), with_cas)
}

fn keys_of<'a>(
    keys: Keys<'a>,
    exptime: Option<&[u8]>,
    with_cas: bool,
) -> Result<TextRequest<'a>, ParseError> {
    if keys.is_empty() {
        return Err(ParseError::BAD_FORMAT);
    }
    let exptime = exptime.map(|word| number::strict_i32(word).ok_or(ParseError::BAD_EXPTIME));
    Ok(TextRequest::Get {
        exptime: exptime.transpose()?,
        keys,
        with_cas,
        is_too_long: !keys.are_valid(),
    })
}

/// A key, the word after it, and how many words follow the key.
struct Keyed<'a> {
    key: &'a [u8],
    word: &'a [u8],
    words: usize,
    noreply: bool,
}

/// At least `min` words must follow the key.
fn keyed(args: &[u8], min: usize) -> Result<Keyed<'_>, ParseError> {
    let mut parts = tokens(args);
    let key = parts.next().ok_or(ParseError::BAD_FORMAT)?;
    let word = parts.next();
    let words = usize::from(word.is_some()) + parts.count();
    if words < min {
        return Err(ParseError::BAD_FORMAT);
    }
    // A key alone may be this word: memcached takes it for both.
    let noreply = is_noreply(args);
    if key.len() > KEY_BYTES {
        return Err(ParseError::BAD_FORMAT.quiet(noreply));
    }
    Ok(Keyed {
        key,
        word: word.unwrap_or_default(),
        words,
        noreply,
    })
}

/// After the key: nothing, `0`, `noreply` or `0 noreply` (old clients send the 0).
fn delete(args: &[u8]) -> Result<TextRequest<'_>, ParseError> {
    let keyed = keyed(args, 0)?;
    let (key, noreply) = (keyed.key, keyed.noreply);
    match (keyed.words, keyed.word) {
        (0, _) | (1, b"0" | b"noreply") => {}
        (2, b"0") if noreply => {}
        _ => return Err(ParseError::BAD_DELETE.quiet(noreply)),
    }
    Ok(TextRequest::Delete { key, noreply })
}

fn arithmetic(args: &[u8], incr: bool) -> Result<TextRequest<'_>, ParseError> {
    let Keyed {
        key, word, noreply, ..
    } = keyed(args, 1)?;
    let delta = number::strict_u64(word).ok_or_else(|| ParseError::BAD_DELTA.quiet(noreply))?;
    Ok(TextRequest::Arithmetic {
        key,
        delta,
        incr,
        noreply,
    })
}

fn touch(args: &[u8]) -> Result<TextRequest<'_>, ParseError> {
    let Keyed {
        key, word, noreply, ..
    } = keyed(args, 1)?;
    let exptime = number::strict_i32(word).ok_or_else(|| ParseError::BAD_EXPTIME.quiet(noreply))?;
    Ok(TextRequest::Touch {
        key,
        exptime,
        noreply,
    })
}

fn flush_all(args: &[u8]) -> Result<TextRequest<'_>, ParseError> {
    let noreply = is_noreply(args);
    let mut words = tokens(args).take(2);
    let (first, second) = (words.next(), words.next());
    let exptime = match (first, second) {
        (None, _) => 0,
        (Some(_), None) if noreply => 0,
        (Some(word), _) => {
            number::strict_i32(word).ok_or_else(|| ParseError::BAD_EXPTIME.quiet(noreply))?
        }
    };
    Ok(TextRequest::FlushAll { exptime, noreply })
}
