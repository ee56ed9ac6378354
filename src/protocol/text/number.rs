//! Numbers as memcached reads them: some strictly, some as C's `strtol` family does.

use crate::limits::{FRACTION_CHARS_MAX, I32_CHARS_MAX, U64_CHARS_MAX};

/// Digits only, within 32 bits.
pub fn strict_u32(token: &[u8]) -> Option<u32> {
    (token.len() <= I32_CHARS_MAX)
        .then(|| strict_u64(token))?
        .and_then(|value| value.try_into().ok())
}

/// Digits only, within 64 bits.
pub fn strict_u64(token: &[u8]) -> Option<u64> {
    if token.is_empty() || token.len() > U64_CHARS_MAX {
        return None;
    }
    digits(token)
}

/// Digits, with a minus sign before them if need be.
pub fn strict_i32(token: &[u8]) -> Option<i32> {
    if token.is_empty() || token.len() > I32_CHARS_MAX {
        return None;
    }
    let value = match token.strip_prefix(b"-") {
        Some(magnitude) => -(digits(magnitude)? as i64),
        None => digits(token)? as i64,
    };
    value.try_into().ok()
}

fn digits(token: &[u8]) -> Option<u64> {
    token.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Client flags of a storage command: `strtoul`, then cut to 32 bits.
pub(super) fn client_flags(token: &[u8]) -> Option<u32> {
    unsigned(token).map(|value| value as u32)
}

/// Expiry time of a storage command: `strtol`, then cut to 32 bits.
pub(super) fn exptime(token: &[u8]) -> Option<i32> {
    let (negative, magnitude) = scan(token)?;
    let limit = i64::MAX as u64 + u64::from(negative);
    if magnitude > limit {
        return None;
    }
    let value = magnitude as i64;
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    } as i32)
}

/// A fraction, as `strtod` reads it, but in decimal only.
pub(super) fn float(token: &[u8]) -> Option<f64> {
    if token.len() > FRACTION_CHARS_MAX {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// `strtoull` with memcached's checks: the number ends at white space or the end, and a minus sign
/// is refused where it would make a huge number.
fn unsigned(token: &[u8]) -> Option<u64> {
    let (negative, magnitude) = scan(token)?;
    let value = if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    };
    (!negative || (value as i64) >= 0).then_some(value)
}

/// White space, a sign, digits, then white space or the end, which C's strings have at a NUL, too.
fn scan(token: &[u8]) -> Option<(bool, u64)> {
    let start = token.iter().position(|byte| !is_c_space(*byte))?;
    let (negative, rest) = match token[start] {
        b'-' => (true, &token[start + 1..]),
        b'+' => (false, &token[start + 1..]),
        _ => (false, &token[start..]),
    };
    let end = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len());
    if end == 0 || rest.get(end).is_some_and(|byte| !ends_number(*byte)) {
        return None;
    }
    Some((negative, digits(&rest[..end])?))
}

fn ends_number(byte: u8) -> bool {
    is_c_space(byte) || byte == 0
}

fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
