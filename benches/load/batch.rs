//! The bytes of one pipelined batch of requests. They are laid out once; a new batch only writes
//! new key digits into them.

use crate::args::{Load, Protocol};
use crate::protocol;

/// As long as a Tomcat session id with MSM's node suffix.
const KEY_PREFIX: &[u8] = b"load-session-key-00000000";
const KEY_DIGITS: usize = 10;

pub(crate) const KEY_BYTES: usize = KEY_PREFIX.len() + KEY_DIGITS;

pub(crate) struct Batch {
    bytes: Vec<u8>,
    request_bytes: usize,
    key_at: usize,
}

impl Batch {
    pub(crate) fn new(load: &Load, protocol: Protocol) -> Self {
        let request = protocol::request(load, protocol);
        let key_at = request.before_key.len();
        let request = [
            &request.before_key,
            KEY_PREFIX,
            &[b'0'; KEY_DIGITS],
            &request.after_key,
        ]
        .concat();
        Self {
            bytes: request.repeat(load.depth as usize),
            request_bytes: request.len(),
            key_at,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn requests(&self) -> usize {
        self.bytes.len() / self.request_bytes
    }

    /// The key of request number `at`.
    pub(crate) fn key(&self, at: usize) -> &[u8] {
        &self.bytes[at * self.request_bytes + self.key_at..][..KEY_BYTES]
    }

    pub(crate) fn draw_keys(&mut self, keys: &mut Keys) {
        for request in self.bytes.chunks_exact_mut(self.request_bytes) {
            let digits = &mut request[self.key_at + KEY_PREFIX.len()..][..KEY_DIGITS];
            let mut rest = keys.next();
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// The order in which a connection uses the keys.
pub(crate) enum Keys {
    Random { draw: fastrand::Rng, keys: u32 },
    InTurn { next: u32, keys: u32 },
}

impl Keys {
    fn next(&mut self) -> u32 {
        match self {
            Self::Random { draw, keys } => draw.u32(..*keys),
            Self::InTurn { next, keys } => {
                let key = *next;
                *next = (key + 1) % *keys;
                key
            }
        }
    }
}
