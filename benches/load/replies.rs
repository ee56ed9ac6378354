//! Checks the answers to a batch, however the reads cut them.
//!
//! A get must be a hit with its own key and the right length, a set must be stored: all answers to
//! a batch then have one length, so that they are read straight into a buffer of just that size.

use thiserror::Error;

use crate::args::{Load, Operation};
use crate::batch::{Batch, KEY_BYTES};

const VALUE: &[u8] = b"VALUE ";

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
    /// The first line of a reply; a get's has room for the key.
    head: Vec<u8>,
    body_bytes: usize,
    tail: &'static [u8],
    has_key: bool,
}

impl Replies {
    pub(crate) fn new(load: &Load) -> Self {
        let (head, body_bytes, tail): (Vec<u8>, usize, &'static [u8]) = match load.operation {
            Operation::Get => {
                let mut head = [VALUE, &[b' '; KEY_BYTES]].concat();
                head.extend_from_slice(format!(" 0 {}\r\n", load.value_bytes).as_bytes());
                (head, load.value_bytes as usize, b"\r\nEND\r\n")
            }
            Operation::Set => (b"STORED\r\n".to_vec(), 0, b""),
        };
        let reply_bytes = head.len() + body_bytes + tail.len();
        Self {
            buffer: vec![0; reply_bytes * load.depth as usize],
            filled: 0,
            complete: 0,
            head,
            body_bytes,
            tail,
            has_key: load.operation == Operation::Get,
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
        let reply_bytes = self.head.len() + self.body_bytes + self.tail.len();
        while self.complete < batch.requests() {
            let start = self.complete * reply_bytes;
            let here = &self.buffer[start..self.filled.min(start + reply_bytes)];
            if self.has_key {
                self.head[VALUE.len()..][..KEY_BYTES].copy_from_slice(batch.key(self.complete));
            }
            if !is_right(here, &self.head, self.body_bytes, self.tail) {
                return Err(self.wrong(start, batch));
            }
            if here.len() < reply_bytes {
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
            expected: self.head.escape_ascii().to_string(),
            got: got.escape_ascii().to_string(),
        }
    }
}

/// Whether `here`, a whole reply or its beginning, is what the head, the length and the tail ask
/// for. The bytes of the value itself are not looked at.
fn is_right(here: &[u8], head: &[u8], body_bytes: usize, tail: &[u8]) -> bool {
    let known = here.len().min(head.len());
    if here[..known] != head[..known] {
        return false;
    }
    let came_of_tail = here.get(head.len() + body_bytes..).unwrap_or_default();
    came_of_tail == &tail[..came_of_tail.len()]
}

/// How much of a wrong reply an error shows.
const SHOWN_BYTES: usize = 80;
