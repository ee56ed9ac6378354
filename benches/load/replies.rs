//! Checks the answers to a batch, however the reads cut them.
//!
//! A get must be a hit with its own key and the right length, a set must be stored: all answers to
//! a batch then have one length, so that they are read straight into a buffer of just that size.

use thiserror::Error;

use crate::args::{Load, Protocol};
use crate::batch::{Batch, KEY_BYTES};
use crate::protocol::{self, Reply};

#[derive(Debug, Error)]
#[error("wrong reply to the request for {key}: expected {expected}, got {got}")]
pub(crate) struct WrongReply {
    key: String,
    expected: String,
    got: String,
}

pub(crate) struct Replies {
    buffer: Vec<u8>,
    filled: usize,
    complete: usize,
    expected: Reply,
    reply_bytes: usize,
}

impl Replies {
    pub(crate) fn new(load: &Load, protocol: Protocol) -> Self {
        let expected = protocol::reply(load, protocol);
        let reply_bytes = expected.head.len() + expected.value_bytes + expected.tail.len();
        Self {
            buffer: vec![0; reply_bytes * load.depth as usize],
            filled: 0,
            complete: 0,
            expected,
            reply_bytes,
        }
    }

    /// Forgets the last batch.
    pub(crate) fn restart(&mut self) {
        self.filled = 0;
        self.complete = 0;
    }

    /// Where the next read belongs; empty when the batch is answered.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    pub(crate) fn all_here(&self) -> bool {
        self.filled == self.buffer.len()
    }

    /// Takes note of `bytes` more in the space and says how many replies they completed. What has
    /// come of an incomplete reply is checked too: a miss is shorter than a hit and would be
    /// waited on for ever.
    pub(crate) fn received(&mut self, bytes: usize, batch: &Batch) -> Result<u64, WrongReply> {
        self.filled += bytes;
        let before = self.complete;
        while self.complete < batch.requests() {
            let start = self.complete * self.reply_bytes;
            let here = &self.buffer[start..self.filled.min(start + self.reply_bytes)];
            if let Some(at) = self.expected.key_at {
                self.expected.head[at..][..KEY_BYTES].copy_from_slice(batch.key(self.complete));
            }
            if !is_right(here, &self.expected) {
                return Err(self.wrong(start, batch));
            }
            if here.len() < self.reply_bytes {
                break;
            }
            self.complete += 1;
        }
        Ok((self.complete - before) as u64)
    }

    fn wrong(&self, start: usize, batch: &Batch) -> WrongReply {
        let got = &self.buffer[start..self.filled.min(start + SHOWN_BYTES)];
        WrongReply {
            key: batch.key(self.complete).escape_ascii().to_string(),
            expected: self.expected.head.escape_ascii().to_string(),
            got: got.escape_ascii().to_string(),
        }
    }
}

/// Whether `here`, a whole reply or its beginning, is what is expected. The bytes of the value
/// itself are not looked at.
fn is_right(here: &[u8], expected: &Reply) -> bool {
    let Reply {
        head,
        any,
        value_bytes,
        tail,
        ..
    } = expected;
    let known = |from: usize, to: usize| {
        let to = to.min(here.len());
        from >= to || here[from..to] == head[from..to]
    };
    let came_of_tail = here.get(head.len() + value_bytes..).unwrap_or_default();
    known(0, any.start) && known(any.end, head.len()) && came_of_tail == &tail[..came_of_tail.len()]
}

/// How much of a wrong reply an error shows.
const SHOWN_BYTES: usize = 80;
