//! Frames to bytes, appended to an output.

use super::{
    Ack, Frame, Hello, KIND_CAS, KIND_EXPIRES, KIND_SYNC, KIND_TOMBSTONE, LENGTH_BYTES, Lane,
    MAGIC, RUN_APPLIED, RUN_CHUNK, RUN_LACKING, RUN_NO_ROOM, RUN_SUPERSEDED, Record, Touch, kind,
    length_max,
};
use crate::limits::{FRAME_BYTES_MAX, KEY_BYTES, ONE_FRAME_VALUE_BYTES, REASON_BYTES_MAX};
use crate::store::{Evicted, Version};

/// Bytes of a head at its longest, with value length and key length, without the key.
const HEAD_BYTES_MAX: usize = 1 + 16 + 4 + 1 + 8 + 8 + 4 + 1;
/// Bytes of a run at its longest.
const RUN_BYTES_MAX: usize = 17;

impl Frame<'_> {
    /// Appends the frame, its length field included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => frame(out, kind::HELLO, |out| hello.encode(out)),
            Self::Welcome {
                wire_version,
                clock,
            } => frame(out, kind::WELCOME, |out| {
                out.extend(wire_version.to_be_bytes());
                out.extend(clock.get().to_be_bytes());
            }),
            Self::Refuse { code, reason } => frame(out, kind::REFUSE, |out| {
                out.push(*code);
                let end = reason.floor_char_boundary(REASON_BYTES_MAX);
                out.extend_from_slice(&reason.as_bytes()[..end]);
            }),
            Self::Record(record) => frame(out, kind::RECORD, |out| {
                record.encode_head(None, out);
                out.extend_from_slice(record.value);
            }),
            Self::Touch(touch) => frame(out, kind::TOUCH, |out| touch.encode(out)),
            Self::ChunkStart {
                record,
                value_len_bytes,
            } => frame(out, kind::CHUNK_START, |out| {
                record.encode_head(Some(*value_len_bytes as u32), out);
                out.extend_from_slice(record.value);
            }),
            Self::Chunk { lane, bytes } => frame(out, kind::CHUNK, |out| {
                out.push(*lane as u8);
                out.extend_from_slice(bytes);
            }),
            Self::ChunkAbort { lane } => {
                frame(out, kind::CHUNK_ABORT, |out| out.push(*lane as u8));
            }
            Self::Acks(runs) => {
                frame(out, kind::ACKS, |out| out.extend_from_slice(runs.0));
            }
            Self::Promote(slots) => {
                frame(out, kind::PROMOTE, |out| {
                    out.extend_from_slice(slots.0.as_flattened());
                });
            }
            Self::Flush { flush_watermark } => {
                frame(out, kind::FLUSH, |out| {
                    out.extend(flush_watermark.get().to_be_bytes());
                });
            }
            Self::SyncEnd => frame(out, kind::SYNC_END, |_| {}),
            Frame::SpaceAvailable => frame(out, kind::SPACE_AVAILABLE, |_| {}),
            Self::Heartbeat {
                boot_ms,
                clock,
                wall_ms,
            } => frame(out, kind::HEARTBEAT, |out| {
                for number in [*boot_ms, clock.get(), *wall_ms] {
                    out.extend(number.to_be_bytes());
                }
            }),
            Self::Evicted(evictions) => {
                frame(out, kind::EVICTED, |out| {
                    out.extend_from_slice(evictions.0.as_flattened());
                });
            }
            Self::HeartbeatAck { boot_ms } => frame(out, kind::HEARTBEAT_ACK, |out| {
                out.extend(boot_ms.to_be_bytes());
            }),
            sync => sync.encode_sync(out),
        }
    }

    /// Appends a frame of the sync or of an ask.
    fn encode_sync(&self, out: &mut Vec<u8>) {
        match self {
            Self::Digests(digests) => frame(out, kind::DIGESTS, |out| {
                out.push(u8::from(digests.is_last));
                out.extend_from_slice(digests.runs);
            }),
            Self::List(list) => frame(out, kind::LIST, |out| {
                out.push(u8::from(list.is_last));
                out.extend_from_slice(list.sections);
            }),
            Self::ListDone => frame(out, kind::LIST_DONE, |_| {}),
            Self::Ask(slots) => frame(out, kind::ASK, |out| {
                out.extend_from_slice(slots.0.as_flattened());
            }),
            Self::Asked { is_answered } => {
                frame(out, kind::ASKED, |out| out.push(u8::from(*is_answered)));
            }
            Self::Unsynced(map) => frame(out, kind::UNSYNCED, |out| {
                out.extend_from_slice(map);
            }),
            // The others are encoded by the caller.
            _ => {}
        }
    }

    /// Appends one frame with as many runs as fit; `next` gives them until it has no more.
    pub fn encode_acks(out: &mut Vec<u8>, mut next: impl FnMut() -> Option<(Ack, u16)>) {
        frame(out, kind::ACKS, |out| {
            let start = out.len();
            while out.len() - start <= length_max() - 1 - RUN_BYTES_MAX {
                let Some((ack, count)) = next() else { break };
                encode_run(ack, count, out);
            }
        });
    }

    /// Appends one ask, of at most 1,024 slots.
    pub fn encode_ask(out: &mut Vec<u8>, slots: &[u64]) {
        frame(out, kind::ASK, |out| {
            for slot in slots {
                out.extend(slot.to_be_bytes());
            }
        });
    }

    /// Appends one frame of evictions. No more than [`EVICTION_NOTICES_SENT`], which fit a frame.
    ///
    /// [`EVICTION_NOTICES_SENT`]: crate::limits::EVICTION_NOTICES_SENT
    pub fn encode_evictions(out: &mut Vec<u8>, evicted: &[Evicted]) {
        frame(out, kind::EVICTED, |out| {
            for evicted in evicted {
                out.extend(evicted.slot.to_be_bytes());
                out.extend(evicted.timestamp.get().to_be_bytes());
            }
        });
    }

    /// Appends one promotion frame. No more slots than fit a frame.
    pub fn encode_promotions(out: &mut Vec<u8>, slots: impl Iterator<Item = u64>) {
        frame(out, kind::PROMOTE, |out| {
            for slot in slots.take(length_max() / 8 - 1) {
                out.extend(slot.to_be_bytes());
            }
        });
    }
}

/// How many bytes of a value fit the first frame of its record; if not all do, the record travels
/// in chunks.
pub(crate) fn first_value_bytes(key: &[u8]) -> usize {
    length_max() - 1 - HEAD_BYTES_MAX - key.len()
}

const _: () = assert!(
    ONE_FRAME_VALUE_BYTES <= FRAME_BYTES_MAX - LENGTH_BYTES - 1 - HEAD_BYTES_MAX - KEY_BYTES,
    "a client whose value needs chunks waits for its last one"
);

/// How many bytes of a value fit one chunk.
pub(crate) fn chunk_value_bytes() -> usize {
    length_max() - 2
}

impl Hello<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(MAGIC);
        out.extend(self.wire_min.to_be_bytes());
        out.extend(self.wire_max.to_be_bytes());
        out.push(self.side);
        out.extend(self.incarnation.to_be_bytes());
        out.extend(self.clock.get().to_be_bytes());
        out.extend(self.flush_watermark.get().to_be_bytes());
        out.push(self.node_id.len() as u8);
        out.extend_from_slice(self.node_id.as_bytes());
        out.extend((self.policy.len() as u16).to_be_bytes());
        out.extend_from_slice(self.policy.as_bytes());
        out.extend(self.wall_ms.to_be_bytes());
        let (incarnation, until) = self
            .last_link
            .map_or((0, 0), |last| (last.incarnation, last.until.get()));
        out.extend(incarnation.to_be_bytes());
        out.extend(until.to_be_bytes());
        out.extend(self.hash_check.to_be_bytes());
        for address in [self.listen_addr, self.failover_addr] {
            out.push(address.len() as u8);
            out.extend_from_slice(address.as_bytes());
        }
    }
}

impl Record<'_> {
    fn encode_head(&self, value_len: Option<u32>, out: &mut Vec<u8>) {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let head = &self.head;
        let mut kind = bit(self.lane == Lane::Sync, KIND_SYNC);
        if self.tombstone {
            kind |= KIND_TOMBSTONE;
        } else {
            kind |= bit(head.cas.is_some(), KIND_CAS);
            kind |= bit(head.deadline_ms.is_some(), KIND_EXPIRES);
        }
        out.push(kind);
        encode_version(head.version, out);
        if !self.tombstone {
            out.extend(head.client_flags.to_be_bytes());
            out.push(head.item_flags);
            for number in [head.cas, head.deadline_ms].into_iter().flatten() {
                out.extend(number.to_be_bytes());
            }
        }
        if let Some(value_len) = value_len {
            out.extend(value_len.to_be_bytes());
        }
        out.push(self.key.len() as u8);
        out.extend_from_slice(self.key);
    }
}

impl Touch<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let deadline_ms = self.head.deadline_ms;
        out.push(deadline_ms.map_or(0, |_| KIND_EXPIRES));
        encode_version(self.head.version, out);
        out.push(self.head.item_flags);
        if let Some(deadline_ms) = deadline_ms {
            out.extend(deadline_ms.to_be_bytes());
        }
        out.push(self.key.len() as u8);
        out.extend_from_slice(self.key);
    }
}

fn encode_run(ack: Ack, count: u16, out: &mut Vec<u8>) {
    let run = match ack {
        Ack::Applied => RUN_APPLIED,
        Ack::NoRoom => RUN_NO_ROOM,
        Ack::Chunk => RUN_CHUNK,
        Ack::Lacking => RUN_LACKING,
        Ack::Superseded(version) => {
            out.push(RUN_SUPERSEDED);
            encode_version(version, out);
            return;
        }
    };
    out.push(run);
    out.extend(count.to_be_bytes());
}

fn encode_version(version: Version, out: &mut Vec<u8>) {
    out.extend(version.timestamp.get().to_be_bytes());
    out.extend(version.touched.get().to_be_bytes());
}

/// Appends a frame: room for the length, the type, the body, and then the length itself.
fn frame(out: &mut Vec<u8>, frame_type: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; LENGTH_BYTES]);
    out.push(frame_type);
    body(out);
    let length = out.len() - start - LENGTH_BYTES;
    debug_assert!(length <= length_max(), "a frame of {length} bytes");
    out[start..start + LENGTH_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
}
