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

    fn parsed(line: &str) -> Option<Result<(u8, u32), &'static str>> {
        let args: Vec<_> = line.split_whitespace().map(str::as_bytes).collect();
        parse(&args).map(|parsed| parsed.map_err(|error| error.reply))
    }

    #[test]
    fn words_are_judged_as_memcached_judges_them() {
        let format = "CLIENT_ERROR bad command line format";
        for (line, expected) in [
            ("", None),
            ("items", None),
            ("cachedumps 1 1", None),
            ("cachedump 1 100", Some(Ok((1, 100)))),
            ("c 63 0 x", Some(Ok((63, 0)))),
            ("cachedump 1", Some(Err("CLIENT_ERROR bad command line"))),
            ("cachedump 64 1", Some(Err("CLIENT_ERROR Illegal slab id"))),
            ("cachedump x 1", Some(Err(format))),
            ("cachedump -1 1", Some(Err(format))),
            ("cachedump 1 4294967296", Some(Err(format))),
        ] {
            assert_eq!(parsed(line), expected, "{line}");
        }
    }
}
