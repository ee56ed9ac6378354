//! Numbers as memcached reads them: some strictly, some as C's `strtol` family does.

use crate::c_number::{digits, scan, unsigned};
use crate::limits::{FRACTION_CHARS_MAX, I32_CHARS_MAX, U64_CHARS_MAX};

/// Digits only, within 32 bits.
pub fn strict_u32(token: &[u8]) -> Option<u32> {
    (token.len() <= I32_CHARS_MAX)
        .then(|| strict_u64(token))?
        .and_then(|value| value.try_into().ok())
}

/// Digits only, within 64 bits.
pub fn strict_u64(token: &[u8]) -> Option<u64> {
    (1..=U64_CHARS_MAX)
        .contains(&token.len())
        .then(|| digits(token))?
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
    let sign = if negative { -1 } else { 1 };
    Some((magnitude as i64).wrapping_mul(sign) as i32)
}

/// A fraction, as `strtod` reads it, but in decimal only.
pub(super) fn float(token: &[u8]) -> Option<f64> {
    if token.len() > FRACTION_CHARS_MAX {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}
