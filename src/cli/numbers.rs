//! Numbers as memcached reads them.

use crate::limits::{FLAG_NUMBER_MAX, FLOAT_CHARS_MAX};

/// A number as C's `atoi` reads it: what follows the digits is ignored, no digits are 0.
pub(super) fn atoi(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit).take(12);
    sign * digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

/// How many: a negative number is none.
pub(super) fn count(text: &str) -> usize {
    atoi(text).clamp(0, FLAG_NUMBER_MAX) as usize
}

/// A number as C's `atof` reads it, exponents, `inf` and `0x1.8p1` included: what follows is
/// ignored, no digits are 0.
pub(super) fn atof(text: &str) -> f64 {
    let text = text.trim_start();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    let parts = text.bytes().take(FLOAT_CHARS_MAX);
    let mut end = parts.take_while(is_part).count();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return sign * hexadecimal(&unsigned[2..]);
    }
    while end > 0 {
        if let Ok(number) = text[..end].parse() {
            return number;
        }
        end -= 1;
    }
    0.0
}

/// What stands behind `0x`: digits with a point among them, and perhaps a power of two.
fn hexadecimal(text: &str) -> f64 {
    let (mut number, mut scale, mut end) = (0.0, None, 0);
    for byte in text.bytes() {
        match (char::from(byte).to_digit(16), scale) {
            (Some(digit), None) => number = number * 16.0 + f64::from(digit),
            (Some(digit), Some(by)) => {
                number += f64::from(digit) / by;
                scale = Some(by * 16.0);
            }
            (None, None) if byte == b'.' => scale = Some(16.0),
            (None, _) => break,
        }
        end += 1;
    }
    if number == 0.0 {
        return 0.0;
    }
    let power = text[end..].strip_prefix(['p', 'P']).map_or(0, atoi);
    number * 2.0_f64.powi(power.clamp(-5000, 5000) as i32)
}

/// A number that is a number as a whole; spaces around it do not matter.
pub(super) fn whole<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.trim_ascii().parse().ok()
}

/// A number as C's `strtol` reads one to the base 8, kept in an `int`.
pub(super) fn octal(text: &str) -> u32 {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).bytes();
    let digits = digits.take_while(|byte| matches!(byte, b'0'..=b'7'));
    let number = digits.fold(0_i64, |number, digit| {
        let number = number.saturating_mul(8);
        number.saturating_add(i64::from(digit - b'0'))
    });
    let sign = if text.starts_with('-') { -1 } else { 1 };
    (sign * number) as u32
}

/// `-I`: a number of bytes, or of KiB or MiB with the unit behind it.
pub(super) fn item_bytes(text: &str) -> usize {
    let shift = match text.as_bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        _ => 0,
    };
    count(text).saturating_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_digits_end() {
        for (text, number) in [("64m", 64), ("x", 0), ("-1", -1), (" +7", 7), ("", 0)] {
            assert_eq!(atoi(text), number, "{text:?}");
        }
        for (text, number) in [
            ("1.25", 1.25),
            ("2x", 2.0),
            ("x", 0.0),
            ("-.5.", -0.5),
            ("1e", 1.0),
            ("", 0.0),
            ("-", 0.0),
            ("0x", 0.0),
            ("0x0p9999", 0.0),
        ] {
            assert!((atof(text) - number).abs() < 1e-9, "{text:?}");
        }
        let long = "7".repeat(99);
        for (text, number) in [
            ("0755", 0o755),
            ("9", 0),
            ("7778", 0o777),
            ("4000000777", 0o4_000_000_777),
            ("-1", u32::MAX),
            (&long, u32::MAX),
        ] {
            assert_eq!(octal(text), number, "{text}");
        }
        let items = ["1k", "2M", "7"].map(item_bytes);
        assert_eq!(items, [1024, 2 << 20, 7]);
        let wholes = [" 5 ", "5x", "-1"].map(whole::<u32>);
        assert_eq!(wholes, [Some(5), None, None]);
    }
    /// `-f 1e1` was 1 and ended the start, and `hot_max_factor=1e3` was taken for 1 without a word.
    #[test]
    fn exponents_infinity_and_hexadecimals_are_numbers() {
        for (text, number) in [
            ("1e3", 1000.0),
            ("1e-1x", 0.1),
            (" +2E+1", 20.0),
            ("1e1e", 10.0),
            ("inf", f64::INFINITY),
            ("-Infinity!", f64::NEG_INFINITY),
            ("1e999", f64::INFINITY),
            ("0x1.8", 1.5),
            ("-0X10p-1", -8.0),
            ("0x1p99999", f64::INFINITY),
        ] {
            assert!(atof(text).total_cmp(&number).is_eq(), "{text:?}");
        }
        assert!(atof("nan").is_nan());
    }
}
