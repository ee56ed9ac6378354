//! Replies of two servers made comparable.

use std::collections::HashMap;

use crate::client::text;

/// What must not count as a difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leniency {
    /// A memcached of before the parser's rewrite answers `ERROR` where later ones say
    /// `CLIENT_ERROR bad command line format` (too few tokens, lines of one byte).
    pub old_error_words: bool,
}

/// The reply stream of one server, as lines with values in their place.
#[derive(Debug, Default)]
pub struct Replies {
    /// One entry per reply line; a `VALUE` line holds its data too.
    pub lines: Vec<Vec<u8>>,
    /// The last CAS unique seen for each key.
    pub last_cas: HashMap<Vec<u8>, u64>,
    /// How many `VERSION` lines there were.
    pub versions: usize,
}

const BAD_LINE: &[u8] = b"CLIENT_ERROR bad command line format";

/// Splits a reply stream and replaces what legitimately differs between servers:
///
/// - CAS uniques become `cas1`, `cas2`, ... in order of appearance, so that equal stays equal;
/// - what follows `VERSION ` is dropped;
/// - a value of digits loses the spaces a shrunken counter is padded with: memcached pads only
///   when nothing else holds the item at that moment, so both forms are its own;
/// - the empty line 1.6.45 sends after a bad key of `get` is dropped.
pub fn read(stream: &[u8], lenient: Leniency) -> Replies {
    let mut replies = Replies::default();
    let mut names: HashMap<u64, usize> = HashMap::new();
    let mut rest = stream;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        if line.starts_with(b"VALUE ") {
            rest = value(line, rest, &mut names, &mut replies);
        } else if line.starts_with(b"VERSION ") {
            replies.versions += 1;
            replies.lines.push(b"VERSION".to_vec());
        } else if line.is_empty() && replies.lines.last().is_some_and(|last| last == BAD_LINE) {
            // the stray line
        } else if lenient.old_error_words && line == b"ERROR" {
            replies.lines.push(BAD_LINE.to_vec());
        } else {
            replies.lines.push(line.to_vec());
        }
    }
    if !rest.is_empty() {
        replies
            .lines
            .push([b"unfinished: ".as_slice(), rest].concat());
    }
    replies
}

/// Reads a `VALUE` line and its data; returns what follows.
fn value<'a>(
    line: &[u8],
    rest: &'a [u8],
    names: &mut HashMap<u64, usize>,
    replies: &mut Replies,
) -> &'a [u8] {
    let head = text(line);
    let fields: Vec<&str> = head.split(' ').collect();
    let key = line[6..]
        .split(|&byte| byte == b' ')
        .next()
        .unwrap_or_default();
    let Some(length) = fields
        .get(3)
        .and_then(|digits| digits.parse::<usize>().ok())
    else {
        replies.lines.push(line.to_vec());
        return rest;
    };
    let (data, after) = rest.split_at(length.min(rest.len()));
    let cas = fields.get(4).and_then(|digits| digits.parse::<u64>().ok());
    let mut whole = [b"VALUE ", key, b" ", fields[2].as_bytes()].concat();
    if let Some(cas) = cas {
        let next = names.len() + 1;
        let name = *names.entry(cas).or_insert(next);
        whole.extend_from_slice(format!(" cas{name}").as_bytes());
        replies.last_cas.insert(key.to_vec(), cas);
    }
    let data = if is_counter(data) {
        data.trim_ascii_end()
    } else {
        data
    };
    whole.extend_from_slice(format!(" {}: ", data.len()).as_bytes());
    whole.extend_from_slice(data);
    replies.lines.push(whole);
    // The data ends with CRLF; a stream cut short here shows in the lines that follow.
    after.strip_prefix(b"\r\n").unwrap_or(after)
}

fn is_counter(data: &[u8]) -> bool {
    let digits = data.trim_ascii_end();
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniques_are_compared_by_equality_only() {
        let one = b"VALUE a 0 1 7\r\nx\r\nVALUE b 0 1 9\r\ny\r\nVALUE a 0 1 7\r\nx\r\nEND\r\n";
        let two = b"VALUE a 0 1 100\r\nx\r\nVALUE b 0 1 3\r\ny\r\nVALUE a 0 1 100\r\nx\r\nEND\r\n";
        let bad = b"VALUE a 0 1 100\r\nx\r\nVALUE b 0 1 3\r\ny\r\nVALUE a 0 1 3\r\nx\r\nEND\r\n";
        let lines = |stream: &[u8]| read(stream, Leniency::default()).lines;
        assert_eq!(lines(one), lines(two));
        assert_ne!(lines(one), lines(bad));
        assert_eq!(read(two, Leniency::default()).last_cas[b"b".as_slice()], 3);
    }

    #[test]
    fn only_a_counter_loses_its_padding() {
        let lines = |stream: &[u8]| read(stream, Leniency::default()).lines;
        assert_eq!(
            lines(b"VALUE n 0 2\r\n9 \r\nEND\r\n"),
            lines(b"VALUE n 0 1\r\n9\r\nEND\r\n")
        );
        assert_ne!(
            lines(b"VALUE n 0 2\r\nx \r\nEND\r\n"),
            lines(b"VALUE n 0 1\r\nx\r\nEND\r\n")
        );
    }
}
