//! Values as decimal numbers.

use crate::limits::COUNTER_BYTES_MAX;

/// Reads a value as C's `strtoull` does with memcached's checks: the number ends at white space, a
/// NUL or the end, and a minus sign is refused if the result would be huge.
pub(super) fn number_of(value: &[u8]) -> Option<u64> {
    if value.len() > COUNTER_BYTES_MAX {
        return None;
    }
    let start = value.iter().position(|&byte| !is_c_space(byte))?;
    let text = &value[start..];
    let end = text.iter().position(|&byte| is_c_space(byte) || byte == 0);
    let word = &text[..end.unwrap_or(text.len())];
    let (is_negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    if !is_negative {
        return Some(magnitude);
    }
    Some(magnitude.wrapping_neg()).filter(|&number| number as i64 >= 0)
}

fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_memcached_reads_them() {
        assert_eq!(number_of(b" +012 "), Some(12));
        assert_eq!(number_of(b"12a"), None);
        assert_eq!(number_of(b""), None);
        // `incr` of `5\0y` failed: a NUL did not end the number.
        assert_eq!(number_of(b"5\0y"), Some(5));
        assert_eq!(number_of(b"\0x"), None);
        assert_eq!(number_of(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number_of(b"18446744073709551616"), None);
        for (text, number) in [("-0", Some(0)), ("-1", None), ("-+0", None), ("-", None)] {
            assert_eq!(number_of(text.as_bytes()), number, "{text}");
        }
        assert_eq!(number_of(b"-18446744073709551615"), Some(1));
    }
}
