//! One direction of a connection: bytes arrive in order, late, and cut in other places than they
//! were written.

use std::collections::VecDeque;

use fastrand::Rng;

/// Longest time that bytes are under way while the network is whole.
const DELAY_MS_MAX: u64 = 4;

#[derive(Debug)]
pub(super) struct Pipe {
    /// When each chunk arrives; `None` is the end of the stream.
    chunks: VecDeque<(u64, Option<Vec<u8>>)>,
    bytes: usize,
    /// Bytes that a socket's buffers hold before a writer must wait.
    capacity_bytes: usize,
    /// Nothing arrives until then: the network is cut, and neither side is told.
    pub(super) blocked_until_ms: u64,
}

impl Pipe {
    pub(super) fn new(capacity_bytes: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            capacity_bytes,
            blocked_until_ms: 0,
        }
    }

    /// Takes from `out` what fits.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time_ms: u64, rng: &mut Rng) {
        let mut taken = 0;
        while taken < out.len() && self.bytes < self.capacity_bytes {
            let longest = if rng.u8(..) < 16 {
                20
            } else {
                self.capacity_bytes
            };
            let len = rng.usize(1..=longest.min(out.len() - taken));
            let chunk = out[taken..taken + len].to_vec();
            taken += len;
            self.bytes += len;
            let due = self.due(time_ms, rng);
            self.chunks.push_back((due, Some(chunk)));
        }
        out.drain(..taken);
    }

    pub(super) fn end(&mut self, time_ms: u64, rng: &mut Rng) {
        let due = self.due(time_ms, rng);
        self.chunks.push_back((due, None));
    }

    fn due(&self, time_ms: u64, rng: &mut Rng) -> u64 {
        let due = time_ms + rng.u64(0..DELAY_MS_MAX);
        self.chunks.back().map_or(due, |(last, _)| due.max(*last))
    }

    /// The next chunk that has arrived.
    pub(super) fn read(&mut self, time_ms: u64) -> Option<Option<Vec<u8>>> {
        if time_ms < self.blocked_until_ms {
            return None;
        }
        let (due, _) = self.chunks.front()?;
        if *due > time_ms {
            return None;
        }
        let (_, chunk) = self.chunks.pop_front()?;
        self.bytes -= chunk.as_ref().map_or(0, Vec::len);
        Some(chunk)
    }

    /// The connection is gone, and the bytes in it are lost.
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }
}
