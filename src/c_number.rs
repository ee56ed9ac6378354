//! Numbers as C's `strtol` family reads them.

/// Digits only, within 64 bits.
pub(crate) fn digits(token: &[u8]) -> Option<u64> {
    token.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// `strtoull` with memcached's checks: the number ends at white space or the end, and a minus sign
/// is refused where it would make a huge number.
pub(crate) fn unsigned(token: &[u8]) -> Option<u64> {
    let (negative, magnitude) = scan(token)?;
    if !negative {
        return Some(magnitude);
    }
    Some(magnitude.wrapping_neg()).filter(|&value| value as i64 >= 0)
}

/// White space, a sign, digits, then white space or the end, which C's strings have at a NUL, too.
pub(crate) fn scan(token: &[u8]) -> Option<(bool, u64)> {
    let start = token.iter().position(|byte| !is_c_space(*byte))?;
    let (negative, rest) = match token[start] {
        b'-' => (true, &token[start + 1..]),
        b'+' => (false, &token[start + 1..]),
        _ => (false, &token[start..]),
    };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit());
    let end = end.unwrap_or(rest.len());
    if end == 0
        || rest
            .get(end)
            .is_some_and(|byte| !is_c_space(*byte) && *byte != 0)
    {
        return None;
    }
    Some((negative, digits(&rest[..end])?))
}

fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
