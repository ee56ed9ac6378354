//! Frames on the wire that the partner has not acknowledged.

use std::collections::VecDeque;

use crate::limits::{
    FRAME_BYTES_MAX, IN_FLIGHT_MAX, IN_FLIGHT_MIN, IN_FLIGHT_SHARE, LIVE_WINDOW_BYTES,
    SYNC_WINDOW_BYTES,
};
use crate::replication::wire::Lane;
use crate::store::Version;

/// One frame that the partner will acknowledge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) slot: u64,
    pub(super) version: Version,
    pub(super) bytes: u32,
    pub(super) lane: Lane,
    /// Whether it ends its record; false for a chunk that others follow.
    pub(super) complete: bool,
}

/// Frames in the order they were sent, which is the order of their acks.
#[derive(Debug)]
pub(super) struct InFlight {
    queue: VecDeque<Sent>,
    bytes: [usize; 2],
    /// Of the frames, those that complete a record.
    records: usize,
    frames_max: usize,
}

impl Default for InFlight {
    /// Those of a link that is down.
    fn default() -> Self {
        Self::of_memory(0)
    }
}

impl InFlight {
    /// Empty, for a node with this `-m`: the queue takes no more than its share of that.
    pub(super) fn of_memory(limit_bytes: u64) -> Self {
        let frames = limit_bytes / IN_FLIGHT_SHARE / size_of::<Sent>() as u64;
        let frames = usize::try_from(frames).unwrap_or(usize::MAX);
        Self {
            queue: VecDeque::new(),
            bytes: [0; 2],
            records: 0,
            frames_max: frames.clamp(IN_FLIGHT_MIN, IN_FLIGHT_MAX),
        }
    }

    pub(super) fn push(&mut self, sent: Sent) {
        self.bytes[sent.lane as usize] += sent.bytes as usize;
        self.records += usize::from(sent.complete);
        self.queue.push_back(sent);
    }

    /// The frame that the next ack is for.
    pub(super) fn pop(&mut self) -> Option<Sent> {
        let sent = self.queue.pop_front()?;
        // A wrong sum must not end the thread: `is_consistent` tells.
        let bytes = &mut self.bytes[sent.lane as usize];
        *bytes = bytes.wrapping_sub(sent.bytes as usize);
        self.records = self.records.wrapping_sub(usize::from(sent.complete));
        Some(sent)
    }

    /// Whether one more frame of any size fits the lane's window.
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        let window = match lane {
            Lane::Live => LIVE_WINDOW_BYTES,
            Lane::Sync => SYNC_WINDOW_BYTES,
        };
        self.queue.len() < self.frames_max && self.bytes[lane as usize] + FRAME_BYTES_MAX <= window
    }

    /// Whether a lane has unacknowledged frames.
    pub(super) fn carries(&self, lane: Lane) -> bool {
        self.bytes[lane as usize] > 0
    }

    /// How many records are on the wire to their last byte.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.iter().sum()
    }

    /// Whether the sums can be those of the queue.
    pub(super) fn is_consistent(&self) -> bool {
        self.records <= self.queue.len() && self.queue.is_empty() == (self.bytes == [0; 2])
    }

    /// Bytes of memory the queue itself takes.
    pub(super) fn held_bytes(&self) -> usize {
        self.queue.capacity() * size_of::<Sent>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
