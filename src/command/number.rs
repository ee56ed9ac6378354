//! Values as decimal numbers.

use crate::c_number;
use crate::limits::COUNTER_BYTES_MAX;

/// Reads a value as C's `strtoull` does with memcached's checks: the number ends at white space, a
/// NUL or the end, and a minus sign is refused if the result would be huge.
pub(super) fn number_of(value: &[u8]) -> Option<u64> {
    (value.len() <= COUNTER_BYTES_MAX).then(|| c_number::unsigned(value))?
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
