//! Keys as dumps and logs show them: everything but letters, digits and `-._~` in percent form.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a key.
pub fn encode(key: &[u8], out: &mut Vec<u8>) {
    for &byte in key {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
        }
    }
}
