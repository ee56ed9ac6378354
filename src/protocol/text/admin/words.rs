//! The words of administrative commands.

use super::super::number;
use super::super::parse_error::ParseError;
use super::super::token::tokens;

pub(super) const ERROR: ParseError = ParseError::saying("ERROR");

/// A command that is refused with these words.
pub(super) fn refused<T>(words: &'static str) -> Result<T, ParseError> {
    Err(ParseError::saying(words))
}

/// The words after a command: how many, and the first few of them. `noreply` is one, as in
/// memcached: where the number of words matters, it makes one too many.
pub(in crate::protocol::text) struct Words<'a> {
    pub(super) count: usize,
    pub(super) first: [&'a [u8]; 5],
}

impl<'a> Words<'a> {
    pub(in crate::protocol::text) fn new(args: &'a [u8]) -> Self {
        let mut words = Self {
            count: 0,
            first: [&[]; 5],
        };
        for word in tokens(args) {
            if let Some(place) = words.first.get_mut(words.count) {
                *place = word;
            }
            words.count += 1;
        }
        words
    }

    /// Whether the first word is `whole` or its beginning.
    pub(super) fn is(&self, whole: &str) -> bool {
        self.count > 0 && begins(whole, self.first[0])
    }

    pub(super) fn u32(&self, nth: usize) -> Option<u32> {
        (nth < self.count).then(|| number::strict_u32(self.first[nth]))?
    }
}

/// memcached takes the beginning of a word for the word.
pub(super) fn begins(whole: &str, word: &[u8]) -> bool {
    whole.as_bytes().starts_with(word)
}
