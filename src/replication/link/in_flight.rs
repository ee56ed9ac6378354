//! Frames on the wire that the partner has not acknowledged.

use std::collections::VecDeque;

use crate::limits::{IN_FLIGHT_SHARE, sizes};
use crate::replication::wire::Lane;
use crate::rules::{Rule, holds};
use crate::store::{Now, Version};

use super::bulk_window::BulkWindow;

/// One frame that the partner will acknowledge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) slot: u64,
    /// Of a flush, the timestamp is the watermark.
    pub(super) version: Version,
    pub(super) bytes: u32,
    pub(super) traffic: Traffic,
    pub(super) kind: SentKind,
    /// The position of its key among the dirty keys, or [`NO_POSITION`].
    pub(super) position: u64,
}

/// The position of a frame that no group of writes waits for by its position.
pub(super) const NO_POSITION: u64 = u64::MAX;

/// What a frame competes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Live records of one frame, and flushes.
    Small,
    /// Live values of several frames.
    Bulk,
    /// The sync.
    Sync,
}

/// What an ack of the frame means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentKind {
    /// It ends its record.
    Record,
    /// It is a touch without its value.
    Touch,
    /// It is a deletion.
    Tombstone,
    /// Other chunks follow.
    Chunk,
    /// It is a flush.
    Flush,
}

impl Traffic {
    /// The traffic of a record; `complete`: it is one frame.
    pub(super) fn of_record(lane: Lane, complete: bool) -> Self {
        match (lane, complete) {
            (Lane::Live, true) => Self::Small,
            (Lane::Live, false) => Self::Bulk,
            (Lane::Sync, _) => Self::Sync,
        }
    }
}

impl SentKind {
    fn ends_record(self) -> bool {
        matches!(self, Self::Record | Self::Touch | Self::Tombstone)
    }

    /// A whole record or the last part of one; else a part that others follow.
    pub(super) fn of_part(complete: bool) -> Self {
        if complete { Self::Record } else { Self::Chunk }
    }
}

/// Frames in the order they were sent, which is the order of their acks.
#[derive(Debug)]
pub(super) struct InFlight {
    queue: VecDeque<Sent>,
    /// By [`Traffic`].
    bytes: [usize; 3],
    /// Of the frames, those that complete a record.
    records: usize,
    /// Of the frames, those with a position.
    positioned: usize,
    bulk_window: BulkWindow,
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
            bytes: [0; 3],
            records: 0,
            positioned: 0,
            bulk_window: BulkWindow::default(),
            frames_max: frames.clamp(sizes().in_flight_min, sizes().in_flight_max),
        }
    }

    pub(super) fn push(&mut self, sent: Sent, now: Now) {
        self.bytes[sent.traffic as usize] += sent.bytes as usize;
        self.records += usize::from(sent.kind.ends_record());
        self.positioned += usize::from(sent.position != NO_POSITION);
        if sent.traffic == Traffic::Bulk {
            self.bulk_window.sent(now);
        }
        self.queue.push_back(sent);
    }

    /// The frame that the next ack is for.
    pub(super) fn pop(&mut self, now: Now) -> Option<Sent> {
        let sent = self.queue.pop_front()?;
        // A wrong sum must not end the thread: `is_consistent` tells.
        let bytes = &mut self.bytes[sent.traffic as usize];
        *bytes = bytes.wrapping_sub(sent.bytes as usize);
        let is_record = usize::from(sent.kind.ends_record());
        self.records = self.records.wrapping_sub(is_record);
        let is_positioned = usize::from(sent.position != NO_POSITION);
        self.positioned = self.positioned.wrapping_sub(is_positioned);
        if sent.traffic == Traffic::Bulk {
            self.bulk_window.acked(now);
        }
        Some(sent)
    }

    /// Whether there is a place for one more frame, of a flush.
    pub(super) fn has_place(&self) -> bool {
        self.queue.len() < self.frames_max
    }

    /// Whether one more frame of any size fits the window of its traffic, and a flush before it.
    pub(super) fn has_room(&self, traffic: Traffic) -> bool {
        let window = match traffic {
            Traffic::Small => sizes().live_window_bytes,
            Traffic::Bulk => self.bulk_window.bytes(),
            Traffic::Sync => sizes().sync_window_bytes,
        };
        let bytes = self.bytes[traffic as usize] + sizes().frame_bytes_max;
        let fits = self.queue.len() + 1 < self.frames_max && bytes <= window;
        fits || !holds(Rule::WindowsBoundFrames)
    }

    /// Whether there are unacknowledged frames of this traffic.
    pub(super) fn carries(&self, traffic: Traffic) -> bool {
        self.bytes[traffic as usize] > 0
    }

    /// Whether there are unacknowledged frames with a position.
    pub(super) fn carries_positions(&self) -> bool {
        self.positioned > 0
    }

    /// The lowest position of them.
    pub(super) fn first_position(&self) -> Option<u64> {
        let mut positions = self.queue.iter().map(|sent| sent.position);
        positions.find(|&position| position != NO_POSITION)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
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
        self.records <= self.queue.len()
            && self.positioned <= self.queue.len()
            && self.queue.is_empty() == (self.bytes == [0; 3])
    }

    /// Bytes of memory the queue itself takes.
    pub(super) fn held_bytes(&self) -> usize {
        self.queue.capacity() * size_of::<Sent>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
