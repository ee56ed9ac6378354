//! Replies of the text protocol, classic and meta.

const WORDS: [&[u8]; 12] = [
    b"END",
    b"STORED",
    b"NOT_STORED",
    b"EXISTS",
    b"NOT_FOUND",
    b"DELETED",
    b"TOUCHED",
    b"OK",
    b"RESET",
    b"ERROR",
    b"MN",
    b"EN",
];
/// What lines begin with that go on as they like.
const BEGINNINGS: [&[u8]; 18] = [
    b"BADCLASS ",
    b"BUSY ",
    b"CLIENT_ERROR ",
    b"ERROR ",
    b"Error ",
    b"ITEM ",
    b"ME ",
    b"MEMLIMIT_ADJUST_FAILED ",
    b"MEMLIMIT_TOO_SMALL ",
    b"NOSPARE ",
    b"NOTSTARTED ",
    b"PREFIX ",
    b"SAME ",
    b"SERVER_ERROR ",
    b"SERVER_ERROR: ",
    b"UNSAFE ",
    b"VERSION ",
    b"mg ",
];
/// The line of a dump that ends in a line feed alone.
const DUMPED: &[u8] = b"key=";
const META_STATUSES: [&[u8]; 5] = [b"HD", b"EN", b"NS", b"EX", b"NF"];
const META_FLAGS_MAX: usize = 20;

/// The length of the reply that `bytes` begin with, and whether it is a statistic.
pub(super) fn reply(bytes: &[u8]) -> (usize, bool) {
    if bytes.starts_with(DUMPED) {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        return (end.unwrap_or_else(|| wrong("half a line", bytes)) + 1, true);
    }
    let end = bytes.windows(2).position(|pair| pair == b"\r\n");
    let end = end.unwrap_or_else(|| wrong("a line without an end", bytes));
    let line = &bytes[..end];
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    if !line.contains(&b'\n') {
        match *words {
            [b"VALUE", key, flags, len] | [b"VALUE", key, flags, len, _] => {
                assert!((1..=250).contains(&key.len()), "a key of {}", key.len());
                number(flags, u64::from(u32::MAX));
                words.get(4).map(|cas| number(cas, u64::MAX));
                return (value_end(bytes, end, len), false);
            }
            [b"VA", len, ref flags @ ..] => {
                meta_flags(line, flags);
                return (value_end(bytes, end, len), false);
            }
            [b"STAT", _, _, ..] => return (end + 2, true),
            [status, ref flags @ ..] if META_STATUSES.contains(&status) => meta_flags(line, flags),
            [count] if count.first().is_some_and(u8::is_ascii_digit) => _ = number(count, u64::MAX),
            _ => {
                let is_known =
                    WORDS.contains(&line) || BEGINNINGS.iter().any(|words| line.starts_with(words));
                assert!(is_known, "no reply: {}", line.escape_ascii());
            }
        }
        return (end + 2, false);
    }
    wrong("a line end within a line", line)
}

fn value_end(bytes: &[u8], line_end: usize, len: &[u8]) -> usize {
    let end = line_end + 2 + number(len, bytes.len() as u64) as usize;
    assert_eq!(bytes.get(end..end + 2), Some(&b"\r\n"[..]), "a value's end");
    end + 2
}

fn meta_flags(line: &[u8], flags: &[&[u8]]) {
    let are_flags = flags
        .iter()
        .all(|flag| flag.first().is_some_and(u8::is_ascii_alphabetic));
    assert!(
        are_flags && flags.len() <= META_FLAGS_MAX,
        "no meta reply: {}",
        line.escape_ascii()
    );
}

fn number(digits: &[u8], max: u64) -> u64 {
    let text = str::from_utf8(digits).unwrap_or("");
    let number: Option<u64> = text.parse().ok();
    match number.filter(|number| *number <= max && !text.starts_with('+')) {
        Some(number) => number,
        None => wrong("no such number", digits),
    }
}

fn wrong(what: &str, bytes: &[u8]) -> ! {
    let shown = &bytes[..bytes.len().min(200)];
    panic!("{what}: {}", shown.escape_ascii());
}
