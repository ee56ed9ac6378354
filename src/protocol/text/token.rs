//! Tokens: runs of bytes other than a space. Tab, NUL, CR and bytes above 0x7f are part of them.

/// All tokens of a line, lazily.
pub(in crate::protocol) fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> + '_ {
    line.split(|byte| *byte == b' ')
        .filter(|token| !token.is_empty())
}

/// The last token of a line.
pub(super) fn last_token(line: &[u8]) -> &[u8] {
    let last = line.iter().rposition(|&byte| byte != b' ');
    let trimmed = &line[..last.map_or(0, |last| last + 1)];
    let start = memchr::memrchr(b' ', trimmed).map_or(0, |space| space + 1);
    &trimmed[start..]
}

/// Whether the client wants no reply: the last token of any command says so.
pub(super) fn is_noreply(line: &[u8]) -> bool {
    last_token(line) == b"noreply"
}
