//! `stats cachedump <class> <items>`.

use super::number;
use super::parse_error::ParseError;
use crate::limits::CLASSES;

/// The class and the number of items asked for, 0 for all, if the words after `stats` are these;
/// the beginning of the first one is enough.
pub fn parse(args: &[&[u8]]) -> Option<Result<(u8, u32), ParseError>> {
    let word = args.first()?;
    b"cachedump".starts_with(word).then(|| {
        let [_, class, items_max, ..] = args else {
            return Err(ParseError::saying("CLIENT_ERROR bad command line"));
        };
        let (Some(class), Some(items_max)) =
            (number::strict_u32(class), number::strict_u32(items_max))
        else {
            return Err(ParseError::BAD_FORMAT);
        };
        if class >= CLASSES as u32 {
            return Err(ParseError::saying("CLIENT_ERROR Illegal slab id"));
        }
        Ok((class as u8, items_max))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other forms are compared with memcached itself, in the transcript `stats_cachedump`.
    #[test]
    fn the_beginning_of_the_word_is_enough() {
        assert_eq!(parse(&[b"c", b"63", b"0", b"x"]), Some(Ok((63, 0))));
        let too_many = parse(&[b"cachedump", b"1", b"4294967296"]);
        assert_eq!(too_many, Some(Err(ParseError::BAD_FORMAT)));
    }
}
