//! What the flags of a request say.

use super::key;
use crate::limits::{META_OPAQUE_BYTES, META_WORDS_MAX, META_WORDS_SEEN};
use crate::protocol::text::{strict_i32, strict_u32, strict_u64, tokens};

pub(super) const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format";
const BAD_TOKEN: &str = "CLIENT_ERROR bad token in command line format";
const TOO_MANY: &str = "CLIENT_ERROR options flags are too long";
const DUPLICATE: &str = "CLIENT_ERROR duplicate flag";
const INVALID: &str = "CLIENT_ERROR invalid flag";
const BAD_KEY: &str = "CLIENT_ERROR error decoding key";
const BAD_INITIAL: &str = "CLIENT_ERROR invalid numeric initial value";
const BAD_DELTA: &str = "CLIENT_ERROR invalid numeric delta value";

/// The flags of a request in its order, not split yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags<'a>(pub(super) &'a [u8]);

impl<'a> Flags<'a> {
    /// Each flag: its letter, and the whole word.
    pub fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        tokens(self.0).map(|word| (word[0], word))
    }

    /// Whether memcached takes the words for flags at all: each begins with a letter, a digit or
    /// one of the six signs between the cases.
    pub(super) fn are_flags(self, words_before: usize) -> bool {
        self.iter()
            .take(META_WORDS_SEEN - words_before)
            .all(|(letter, _)| matches!(letter, b'A'..=b'z' | b'0'..=b'9'))
    }
}

/// What the flags say. A flag that has no meaning for a command is checked all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `b`, the decoded key.
    pub binary_key: Option<Vec<u8>>,
    /// `v`: the value is wanted.
    pub value: bool,
    /// `q`: the usual reply is not wanted.
    pub quiet: bool,
    /// `u`: reading does not count as use.
    pub unused: bool,
    /// `h` or `l`: what was before this request is wanted.
    pub history: bool,
    /// `I`: mark as stale, or store what is stale.
    pub stale: bool,
    /// `x`: keep the item without its value.
    pub remove_value: bool,
    /// `C`: the CAS unique that the item must have.
    pub compare: Option<u64>,
    /// `E`: the CAS unique that it gets.
    pub cas: Option<u64>,
    /// `F`: client flags.
    pub client_flags: u32,
    /// `T`: a new exptime.
    pub exptime: Option<i32>,
    /// `N`: create what is missing, with this exptime.
    pub vivify: Option<i32>,
    /// `R`: recache when less than this is left.
    pub recache: Option<i32>,
    /// `D`: what `ma` adds.
    pub delta: Option<u64>,
    /// `J`: what `ma` begins with.
    pub initial: u64,
    /// `M`: the letter after it, 0 if it stands alone.
    pub mode: Option<u8>,
}

impl Options {
    /// Reads all flags in one pass; `None` if anything is wrong with them. What it is, and which of
    /// several errors counts, is for [`Options::parse`] to find out.
    pub(super) fn read(key: &[u8], flags: Flags<'_>, words_before: usize) -> Option<Self> {
        let mut options = Self::default();
        let mut seen = 0u128;
        let mut words_left = META_WORDS_MAX - words_before;
        for (letter, word) in flags.iter() {
            let bit = 1 << (letter & 0x7f);
            let fits = letter != b'O' || word.len() <= META_OPAQUE_BYTES;
            if words_left == 0 || seen & bit != 0 || !fits {
                return None;
            }
            words_left -= 1;
            seen |= bit;
            options.take(key, letter, &word[1..]).ok()?;
        }
        Some(options)
    }

    /// Reads all flags. Of several bad arguments the last names the error; a flag that is unknown
    /// or comes twice ends the reading.
    pub(super) fn parse(key: &[u8], flags: Flags<'_>, words_before: usize) -> Result<Self, Error> {
        if flags.iter().nth(META_WORDS_MAX - words_before).is_some() {
            return Err(Error(TOO_MANY));
        }
        let mut options = Self::default();
        let mut seen = 0u128;
        let mut failed = false;
        let mut error = BAD_FORMAT;
        for (letter, word) in flags.iter() {
            let bit = 1 << (letter & 0x7f);
            if seen & bit != 0 {
                return Err(Error(DUPLICATE));
            }
            seen |= bit;
            match options.take(key, letter, &word[1..]) {
                Ok(()) => {}
                Err(Some(Error(INVALID))) => return Err(Error(INVALID)),
                Err(said) => {
                    failed = true;
                    error = said.map_or(error, |Error(words)| words);
                }
            }
        }
        if failed {
            Err(Error(error))
        } else {
            Ok(options)
        }
    }

    /// Reads one flag. An error without words leaves those of an earlier one.
    fn take(&mut self, key: &[u8], letter: u8, argument: &[u8]) -> Result<(), Option<Error>> {
        match letter {
            b'b' => self.binary_key = Some(key::decode(key).ok_or(Error(BAD_KEY))?),
            b'v' => self.value = true,
            b'q' => self.quiet = true,
            b'u' => self.unused = true,
            b'h' | b'l' => self.history = true,
            b'I' => self.stale = true,
            b'x' => self.remove_value = true,
            b'C' => self.compare = Some(strict_u64(argument).ok_or(Error(BAD_TOKEN))?),
            b'E' => self.cas = Some(strict_u64(argument).ok_or(Error(BAD_TOKEN))?),
            b'T' => self.exptime = Some(strict_i32(argument).ok_or(Error(BAD_TOKEN))?),
            b'N' => self.vivify = Some(strict_i32(argument).ok_or(Error(BAD_TOKEN))?),
            b'R' => self.recache = Some(strict_i32(argument).ok_or(Error(BAD_TOKEN))?),
            b'D' => self.delta = Some(strict_u64(argument).ok_or(Error(BAD_DELTA))?),
            b'J' => self.initial = strict_u64(argument).ok_or(Error(BAD_INITIAL))?,
            // memcached has no words of its own for this one.
            b'F' => self.client_flags = strict_u32(argument).ok_or(None)?,
            b'M' => self.mode = Some(argument.first().copied().unwrap_or_default()),
            b'O' | b'P' | b'L' | b'k' | b's' | b't' | b'c' | b'f' => {}
            _ => return Err(Some(Error(INVALID))),
        }
        Ok(())
    }
}

/// The reply to flags that are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Error(pub(super) &'static str);
