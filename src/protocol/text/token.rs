//! Tokens: runs of bytes other than a space. Tab, NUL, CR and bytes above 0x7f are part of them.

use nom::IResult;
use nom::Parser;
use nom::bytes::complete::{take_while, take_while1};
use nom::sequence::preceded;

/// One token and what follows it.
pub(super) fn token(input: &[u8]) -> IResult<&[u8], &[u8]> {
    preceded(take_while(is_space), take_while1(is_not_space)).parse(input)
}

/// All tokens of a line, lazily.
pub(in crate::protocol) fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> + '_ {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (after, found) = token(rest).ok()?;
        rest = after;
        Some(found)
    })
}

/// The last token of a line.
pub(super) fn last_token(line: &[u8]) -> &[u8] {
    let end = line
        .iter()
        .rposition(|&byte| byte != b' ')
        .map_or(0, |last| last + 1);
    let trimmed = &line[..end];
    let start = memchr::memrchr(b' ', trimmed).map_or(0, |space| space + 1);
    &trimmed[start..]
}

/// Whether the client wants no reply: the last token of any command says so.
pub(super) fn is_noreply(line: &[u8]) -> bool {
    last_token(line) == b"noreply"
}

fn is_space(byte: u8) -> bool {
    byte == b' '
}

fn is_not_space(byte: u8) -> bool {
    byte != b' '
}
