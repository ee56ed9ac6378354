//! Lines of `lru_crawler metadump` and `mgdump`.

use super::uri;
use crate::protocol::meta;

/// Before the items.
pub const BEGIN: &[u8] = b"OK\r\n";
/// After those of a `metadump`.
pub const META_END: &[u8] = b"END\r\n";
/// After those of an `mgdump`.
pub const MG_END: &[u8] = b"EN\r\n";
/// What a `metadump` says of an item.
#[derive(Clone, Copy, Debug)]
pub struct Dumped<'a> {
    /// Its key, as it is.
    pub key: &'a [u8],
    /// When it expires, in seconds since 1970; -1 for never.
    pub expires_unix_secs: i64,
    /// When it was used last, in seconds since 1970.
    pub used_unix_secs: u64,
    /// The CAS unique.
    pub cas: u64,
    /// Whether it has been read.
    pub fetched: bool,
    /// The slab class memcached would keep it in.
    pub class: usize,
    /// Bytes memcached would take for it.
    pub size_bytes: usize,
    /// Client flags.
    pub client_flags: u32,
}

/// A line of a `metadump`. It ends in a space and a line feed, as memcached's does.
pub fn meta_line(out: &mut Vec<u8>, item: &Dumped<'_>) {
    out.extend_from_slice(b"key=");
    uri::encode(item.key, out);
    number(out, b" exp=", item.expires_unix_secs);
    number(out, b" la=", item.used_unix_secs);
    number(out, b" cas=", item.cas);
    let fetched: &[u8] = if item.fetched {
        b" fetch=yes"
    } else {
        b" fetch=no"
    };
    out.extend_from_slice(fetched);
    number(out, b" cls=", item.class);
    number(out, b" size=", item.size_bytes);
    number(out, b" flags=", item.client_flags);
    out.extend_from_slice(b" \n");
}

/// A line of an `mgdump`: the command that would get the item.
pub fn mg_line(out: &mut Vec<u8>, key: &[u8], in_base64: bool) {
    out.extend_from_slice(b"mg ");
    meta::reply::bare_key(out, key, in_base64);
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut Vec<u8>, name: &[u8], value: impl itoa::Integer) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{DUMP_LINE_BYTES_MAX, KEY_BYTES};

    #[test]
    fn the_longest_line_is_within_its_limit() {
        let mut out = Vec::new();
        let item = Dumped {
            key: &[b'\r'; KEY_BYTES],
            expires_unix_secs: i64::MIN,
            used_unix_secs: u64::MAX,
            cas: u64::MAX,
            fetched: true,
            class: 63,
            size_bytes: usize::MAX,
            client_flags: u32::MAX,
        };
        meta_line(&mut out, &item);
        assert!(out.len() <= DUMP_LINE_BYTES_MAX, "{}", out.len());
        assert!(out.starts_with(b"key=%0D%0D"));
    }
}
