//! Words of meta replies, as bytes. Every word but the first includes the space before it.

use super::key;

/// The reply to `mn`.
pub const NOTHING: &[u8] = b"MN\r\n";

/// A flag without an argument.
pub fn flag(out: &mut Vec<u8>, letter: u8) {
    out.extend_from_slice(&[b' ', letter]);
}

/// A flag with a number.
pub fn number(out: &mut Vec<u8>, letter: u8, value: impl itoa::Integer) {
    flag(out, letter);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A word as the client sent it.
pub fn echo(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

/// `k` with the key.
pub fn key(out: &mut Vec<u8>, key: &[u8], in_base64: bool) {
    flag(out, b'k');
    bare_key(out, key, in_base64);
}

/// A key, and a `b` after it where it is in base64: where it is asked for, and where the key would
/// end the word or the line.
pub fn bare_key(out: &mut Vec<u8>, key: &[u8], in_base64: bool) {
    if plain_or_base64(out, key, in_base64) {
        flag(out, b'b');
    }
}

/// A key in base64 (true), or as it is if it can stand in a line like that. What came in base64 or
/// by the binary protocol may hold anything.
fn plain_or_base64(out: &mut Vec<u8>, key: &[u8], in_base64: bool) -> bool {
    let is_encoded = in_base64 || memchr::memchr2(b' ', b'\n', key).is_some();
    if is_encoded {
        key::encode(key, out);
    } else {
        out.extend_from_slice(key);
    }
    is_encoded
}

/// `VA <size>`, before the flags.
pub fn value_head(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(b"VA ");
    out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
}

/// What `me` shows of an item.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The key itself.
    pub key: &'a [u8],
    /// Whether it is shown in base64.
    pub in_base64: bool,
    /// Seconds left to live; -1 for ever.
    pub expires_secs: i64,
    /// Seconds since it was used.
    pub idle_secs: u64,
    /// The CAS unique.
    pub cas: u64,
    /// Whether it has been read.
    pub fetched: bool,
    /// The slab class memcached would keep it in.
    pub class: usize,
    /// Bytes memcached would take for it.
    pub size_bytes: usize,
}

/// The reply to `me`.
pub fn shown(out: &mut Vec<u8>, shown: &Shown<'_>) {
    use std::io::Write;
    out.extend_from_slice(b"ME ");
    plain_or_base64(out, shown.key, shown.in_base64);
    let fetched = if shown.fetched { "yes" } else { "no" };
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        " exp={} la={} cas={} fetch={fetched} cls={} size={}\r\n",
        shown.expires_secs, shown.idle_secs, shown.cas, shown.class, shown.size_bytes
    );
}
