//! Replies of the binary protocol.

/// The first byte of each.
pub(super) const MAGIC: u8 = 0x81;
const HEADER_BYTES: usize = 24;
const STAT: u8 = 0x10;
/// Statuses with the words that come with them.
const STATUSES: [(u16, &str); 11] = [
    (0, ""),
    (1, "Not found"),
    (2, "Data exists for key."),
    (3, "Too large."),
    (4, "Invalid arguments"),
    (5, "Not stored."),
    (6, "Non-numeric server-side value for incr or decr"),
    (0x20, "Auth failure."),
    (0x21, ""),
    (0x81, "Unknown command"),
    (0x82, "Out of memory"),
];

/// The length of the reply that `bytes` begin with, and whether it is a statistic.
pub(super) fn reply(bytes: &[u8]) -> (usize, bool) {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        panic!("half a header: {}", bytes.escape_ascii());
    };
    let shown = header.escape_ascii();
    assert_eq!(header[0], MAGIC, "no reply: {shown}");
    assert_eq!(header[5], 0, "a data type: {shown}");
    let key_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let extras_len = usize::from(header[4]);
    let body_len = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    assert!(
        key_len <= 250 && key_len + extras_len <= body_len,
        "lengths: {shown}"
    );
    assert!(matches!(extras_len, 0 | 4), "extras: {shown}");
    let Some(body) = bytes.get(HEADER_BYTES..HEADER_BYTES + body_len) else {
        panic!("half a body: {shown}");
    };
    let status = u16::from_be_bytes([header[6], header[7]]);
    let Some((_, words)) = STATUSES.iter().find(|(known, _)| *known == status) else {
        panic!("status {status}: {shown}");
    };
    // A miss may name its key instead; what there was no memory for may be told.
    if status != 0 && key_len == 0 {
        assert!(body.starts_with(words.as_bytes()), "words: {shown}");
    }
    (HEADER_BYTES + body_len, header[1] == STAT)
}
