//! Keys, plain or in base64 (flag `b`).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::KEY_BYTES;

/// A key as the client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key itself, 1 to 250 bytes.
    pub bytes: Cow<'a, [u8]>,
    /// The client writes and reads it in base64.
    pub is_base64: bool,
}

/// Decodes as memcached does: bytes outside the alphabet are skipped, whole groups of four are
/// wanted, the first padded group is the last. `None` if that leaves no key.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits: Vec<u8> = text.iter().copied().filter(is_digit).collect();
    if digits.is_empty() || !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut padding = 0;
    if let Some(first) = digits.iter().position(|&digit| digit == b'=') {
        digits.truncate(first / 4 * 4 + 4);
        for digit in &mut digits[first..] {
            if *digit == b'=' {
                // The digit 0: its bits are cut off again.
                *digit = b'A';
                padding += 1;
            }
        }
    }
    let mut key = STANDARD.decode(&digits).ok()?;
    let len = key.len().checked_sub(padding).filter(|_| padding <= 2)?;
    key.truncate(len);
    (1..=KEY_BYTES).contains(&len).then_some(key)
}

/// Appends a key in base64.
pub(super) fn encode(key: &[u8], out: &mut Vec<u8>) {
    let mut text = [0; KEY_BYTES.div_ceil(3) * 4];
    // A key is never longer than the buffer is made for.
    if let Ok(len) = STANDARD.encode_slice(key, &mut text) {
        out.extend_from_slice(&text[..len]);
    }
}

fn is_digit(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
