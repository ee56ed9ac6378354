//! Numbers as memcached reads them.

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

/// A number as `atof` reads it, but for exponents: what follows is ignored, no digits are 0.
pub(super) fn atof(text: &str) -> f64 {
    let text = text.trim_start();
    let is_part = |(at, byte): (usize, u8)| match byte {
        b'0'..=b'9' | b'.' => true,
        b'-' | b'+' => at == 0,
        _ => false,
    };
    let end = text.bytes().enumerate().take_while(|part| is_part(*part));
    let mut end = end.count();
    while end > 0 {
        if let Ok(number) = text[..end].parse() {
            return number;
        }
        end -= 1;
    }
    0.0
}

/// A number that is a number as a whole; spaces around it do not matter.
pub(super) fn whole<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.trim_ascii().parse().ok()
}

/// A number as C's `strtol` reads one to the base 8.
pub(super) fn octal(text: &str) -> u32 {
    let digits = text
        .trim_start()
        .bytes()
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .take(9);
    digits.fold(0, |number, digit| number * 8 + u32::from(digit - b'0'))
}

/// `-I`: a number of bytes, or of KiB or MiB with the unit behind it.
pub(super) fn item_bytes(text: &str) -> usize {
    let shift = match text.as_bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        _ => 0,
    };
    (atoi(text).clamp(0, 1 << 40) as usize).saturating_mul(1 << shift)
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
        ] {
            assert!((atof(text) - number).abs() < 1e-9, "{text:?}");
        }
        assert_eq!(
            (octal("0755"), octal("9"), octal("7778")),
            (0o755, 0, 0o777)
        );
        assert_eq!(
            (item_bytes("1k"), item_bytes("2M"), item_bytes("7")),
            (1024, 2 << 20, 7)
        );
        assert_eq!(
            (whole::<u32>(" 5 "), whole::<u32>("5x"), whole::<u32>("-1")),
            (Some(5), None, None)
        );
    }
}
