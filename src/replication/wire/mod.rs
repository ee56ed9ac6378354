//! The link's frames, byte by byte. Wire version 2.
//!
//! All numbers are big-endian. A timestamp is a `u64` whose upper 11 bits are zero. A frame is
//!
//! ```text
//! u32  length of what follows, 1 to 65,532: a whole frame has at most 64 KiB
//! u8   type
//! ...  body
//! ```
//!
//! | type | frame      | body |
//! |------|------------|------|
//! | 1    | Hello      | see below |
//! | 2    | Welcome    | u16 wire version: the highest both speak; timestamp: the clock |
//! | 3    | Refuse     | u8 reason code, text (UTF-8, to the end) |
//! | 4    | Record     | head, key, value (to the end; none in a tombstone) |
//! | 5    | ChunkStart | head with length, key, first bytes of the value (to the end) |
//! | 6    | Chunk      | u8 lane, next bytes of the value (at least one, to the end) |
//! | 7    | ChunkAbort | u8 lane |
//! | 8    | Acks       | runs, at least one, to the end |
//! | 9    | Promote    | u64 slots, to the end |
//! | 10   | Flush      | flush watermark (a timestamp) |
//! | 11   | SyncEnd    | nothing |
//! | 12   | SpaceAvailable | nothing |
//! | 13   | Heartbeat  | u64 ms on the sender's boot-time clock, timestamp: its clock, wall clock |
//! | 14   | HeartbeatAck | u64 ms of the heartbeat that it answers |
//! | 15   | Evicted    | pairs, at least one, to the end: u64 slot, timestamp of the value |
//! | 16   | Touch      | see below |
//! | 17   | Digests    | u8 1 if it is the last, else 0; runs, to the end |
//! | 18   | List       | u8 1 if it is the last, else 0; sections, to the end |
//! | 19   | ListDone   | nothing |
//! | 20   | Unsynced   | 65,536 bits, the first bucket in the lowest bit of the first byte |
//! | 21   | Ask        | u64 hashes of keys (at least one, at most 1,024), to the end |
//! | 22   | Asked      | u8 1 if the records of these keys were sent, else 0 |
//!
//! A wall clock is a `u64` of milliseconds since 2020 of which 41 bits are used, as in a timestamp.
//! Less than an hour stands for a clock that was never set.
//!
//! **Hello.** Its fields are the same in every version; newer versions may append some, which are
//! ignored. So nodes without a common version refuse each other with the reason:
//!
//! ```text
//! "MTWN"
//! u16        lowest wire version spoken
//! u16        highest wire version spoken
//! u8         side, 0 or 1
//! u64        incarnation
//! timestamp  the higher of the clock and the highest timestamp held
//! timestamp  flush watermark
//! u8         length of the node id, node id (UTF-8)
//! u16        length of the policy (at most 8 KiB), policy (UTF-8)
//! wall clock                                                        \
//! u64        incarnation of the partner when the last link ended     |  from version 2 on
//! timestamp  the clock at that moment; zero if there was no link     |
//! u64        a check of the secret that keys are hashed with        /
//! u8         length of the own replication address, address (UTF-8)   \  may be missing
//! u8         length of the partner's, address (UTF-8)                 /
//! ```
//!
//! **Handshake.** Each side sends its hello, and its welcome once it has absorbed the other's hello
//! and is ready for records. That may take seconds, in which both send heartbeats.
//!
//! **Head** of a record:
//!
//! ```text
//! u8         kind: 1 = sync lane, 2 = tombstone, 4 = has a CAS of its own, 8 = expires
//! timestamp  when the value was written
//! timestamp  when its deadline was last changed by a touch
//! u32        client flags                  \
//! u8         item flags                     |  not in a tombstone
//! u64        CAS, if kind has 4             |
//! u64        deadline, if kind has 8       /
//! u32        length of the whole value: ChunkStart only
//! u8         length of the key (1 to 250), key
//! ```
//!
//! **Deadlines** are milliseconds on the sender's boot-time clock, so that the time a record spends
//! in queues does not change them. Heartbeats carry the present time of that clock: one is sent
//! before the first record, and one every 200 ms after it.
//!
//! **Chunks.** A record that does not fit one frame is sent as ChunkStart and then Chunks until the
//! announced length is reached. There is one transfer per lane: lane 0 for live records, 1 for the
//! sync. Other frames may come between its chunks. ChunkAbort ends a transfer that is not
//! completed.
//!
//! **Touch.** What a touch has changed of a value that the receiver has acknowledged:
//!
//! ```text
//! u8         8 if the item expires, else 0
//! timestamp  when the value was written
//! timestamp  when its deadline was last changed by a touch
//! u8         item flags
//! u64        deadline, if it expires
//! u8         length of the key (1 to 250), key
//! ```
//!
//! **Sync.** Each side sends what the other may lack, in buckets of keys: bits 40 to 55 of a key's
//! hash. First come all tombstones, as records, and the digests of the buckets. A run of them is
//!
//! ```text
//! u8   0 = sums follow, 1 = the buckets have no entry, not even a tombstone
//! u16  first bucket
//! u16  how many buckets follow it
//! u64  the sum of each bucket: of the numbers of its live items, modulo 2^64
//! ```
//!
//! The receiver answers with lists of what it holds in the buckets that differ. A section is
//!
//! ```text
//! u16  bucket
//! u16  number of entries; bit 15: the section speaks for a range of hashes only, else for all
//! u64, u64  first and last hash of the range             (with bit 15 only)
//! u64, timestamp, timestamp  hash and version of each entry, by hash
//! ```
//!
//! A list is answered with the records of that range that it lacks or has older versions of, and
//! then with ListDone; SyncEnd follows that of the last list. At most two lists are under way.
//! Unsynced names buckets in which changes were dropped: a further sync brings them.
//!
//! **Acks** answer the frames Record, Touch, ChunkStart, Chunk, Digests and List: one each, in the
//! order in which those were sent. A run is
//!
//! ```text
//! u8   0 = applied, 1 = superseded, 2 = no room, 3 = taken: a chunk before others, digests, a list
//!      4 = lacking: the value of a touch is not here, and the whole record must follow
//! u16  how many in a row, at least 1   (not for superseded: always one)
//! timestamp, timestamp  the version held here  (superseded only)
//! ```
//!
//! Decoding never panics: the length is checked before each read.

mod decode;
mod decode_handshake;
mod digests;
mod encode;
mod framer;
mod list;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::limits::sizes;
use crate::store::{RecordHead, Timestamp, Version};

pub use decode::{Evictions, Runs, Slots};
pub(crate) use digests::DigestRuns;
pub use digests::{BucketDigest, Digests};
pub(crate) use encode::{chunk_value_bytes, first_value_bytes};
pub use framer::{Framer, first_frame};
pub use list::List;
pub(crate) use list::{Section, SectionWriter, Sections};

/// The wire versions this build speaks.
pub const WIRE_VERSIONS: RangeInclusive<u16> = 2..=2;

/// First bytes of a hello.
const MAGIC: [u8; 4] = *b"MTWN";
/// Bytes of the length field.
const LENGTH_BYTES: usize = 4;

const KIND_SYNC: u8 = 1;
const KIND_TOMBSTONE: u8 = 2;
const KIND_CAS: u8 = 4;
const KIND_EXPIRES: u8 = 8;

const RUN_APPLIED: u8 = 0;
const RUN_SUPERSEDED: u8 = 1;
const RUN_NO_ROOM: u8 = 2;
const RUN_CHUNK: u8 = 3;
const RUN_LACKING: u8 = 4;

/// Frame types, as in the module's table.
mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const WELCOME: u8 = 2;
    pub(super) const REFUSE: u8 = 3;
    pub(super) const RECORD: u8 = 4;
    pub(super) const CHUNK_START: u8 = 5;
    pub(super) const CHUNK: u8 = 6;
    pub(super) const CHUNK_ABORT: u8 = 7;
    pub(super) const ACKS: u8 = 8;
    pub(super) const PROMOTE: u8 = 9;
    pub(super) const FLUSH: u8 = 10;
    pub(super) const SYNC_END: u8 = 11;
    pub(super) const SPACE_AVAILABLE: u8 = 12;
    pub(super) const HEARTBEAT: u8 = 13;
    pub(super) const HEARTBEAT_ACK: u8 = 14;
    pub(super) const EVICTED: u8 = 15;
    pub(super) const TOUCH: u8 = 16;
    pub(super) const DIGESTS: u8 = 17;
    pub(super) const LIST: u8 = 18;
    pub(super) const LIST_DONE: u8 = 19;
    pub(super) const UNSYNCED: u8 = 20;
    pub(super) const ASK: u8 = 21;
    pub(super) const ASKED: u8 = 22;
}

/// One frame, borrowing from the bytes it was read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a> {
    /// How the sender describes itself; the first frame of each side.
    Hello(Hello<'a>),
    /// The partner's hello is accepted; from here on this wire version is used.
    Welcome {
        /// The highest version both speak.
        wire_version: u16,
        /// The higher of the sender's clock and the highest timestamp it holds.
        clock: Timestamp,
    },
    /// The partner's hello, or a later timestamp of it, is refused; the sender closes the link.
    Refuse {
        /// What kind of refusal, for counters and tests.
        code: u8,
        /// The reason in words, for the log; at most 1 KiB is sent.
        reason: &'a str,
    },
    /// The whole state of one key.
    Record(Record<'a>),
    /// The state of one key without its value.
    Touch(Touch<'a>),
    /// The state of one key and the first bytes of a value that needs several frames.
    ChunkStart {
        /// What the record is; its value is only the first part.
        record: Record<'a>,
        /// Length of the whole value in bytes.
        value_len_bytes: usize,
    },
    /// The next bytes of the value in transfer.
    Chunk {
        /// Which of the two transfers.
        lane: Lane,
        /// Never empty.
        bytes: &'a [u8],
    },
    /// The transfer ends here without a record.
    ChunkAbort {
        /// Which of the two transfers.
        lane: Lane,
    },
    /// The acks of records and chunks, in the order in which those were received.
    Acks(Runs<'a>),
    /// Keys that clients read at the sender: the receiver promotes them, too.
    Promote(Slots<'a>),
    /// Everything with a lower timestamp is dead.
    Flush {
        /// The flush watermark.
        flush_watermark: Timestamp,
    },
    /// All records of the sender's sync are sent.
    SyncEnd,
    /// The sender has refused records, and has 5 % of its memory free now.
    SpaceAvailable,
    /// Shows that the sender is alive.
    Heartbeat {
        /// What the sender's boot-time clock shows, in milliseconds.
        boot_ms: u64,
        /// The higher of its clock and the highest timestamp it holds.
        clock: Timestamp,
        /// What its wall clock shows, in milliseconds since 2020.
        wall_ms: u64,
    },
    /// Items that the sender has evicted, and had confirmed.
    Evicted(Evictions<'a>),
    /// Shows that the sender has received a heartbeat.
    HeartbeatAck {
        /// The `boot_ms` of that heartbeat.
        boot_ms: u64,
    },
    /// Sums of the sender's table, bucket by bucket.
    Digests(Digests<'a>),
    /// What the sender holds in buckets whose sums differ.
    List(List<'a>),
    /// The records that one list made due are sent.
    ListDone,
    /// Changes of these buckets were dropped: the receiver may hold old states in them until the
    /// next sync has ended. A bit for each bucket.
    Unsynced(&'a [u8]),
    /// Clients of the sender wait for these keys: their records are wanted now.
    Ask(Slots<'a>),
    /// The oldest ask is answered.
    Asked {
        /// Whether all that the sender holds of these keys was sent before.
        is_answered: bool,
    },
}

/// How a node describes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The lowest wire version the node speaks.
    pub wire_min: u16,
    /// The highest wire version the node speaks.
    pub wire_max: u16,
    /// 0 or 1.
    pub side: u8,
    /// A number that differs for each start of the node.
    pub incarnation: u64,
    /// The higher of the node's clock and the highest timestamp it holds.
    pub clock: Timestamp,
    /// The node's flush watermark.
    pub flush_watermark: Timestamp,
    /// MSM's name of the node.
    pub node_id: &'a str,
    /// The settings that should be equal on both nodes, as text.
    pub policy: &'a str,
    /// What the node's wall clock shows, in milliseconds since 2020.
    pub wall_ms: u64,
    /// When the node last had a link; `None` if it had none since its start.
    pub last_link: Option<LastLink>,
    /// The node's own replication address, as configured; may be empty.
    pub listen_addr: &'a str,
    /// What the node takes for its partner's replication address; may be empty.
    pub failover_addr: &'a str,
    /// Equal on nodes that hash keys with the same secret, see [`crate::store::Store::hash_check`].
    pub hash_check: u64,
}

/// The end of a node's last link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLink {
    /// The incarnation of the partner.
    pub incarnation: u64,
    /// The node's own clock when the link ended: no timestamp of that partner is higher. Never
    /// zero.
    pub until: Timestamp,
}

/// A key's current state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// The live lane or the sync lane.
    pub lane: Lane,
    /// Everything but key and value. Of a tombstone only the version counts.
    pub head: RecordHead,
    /// Whether the key is deleted in this version.
    pub tombstone: bool,
    /// 1 to 250 bytes.
    pub key: &'a [u8],
    /// Empty for a tombstone.
    pub value: &'a [u8],
}

/// What a touch has changed of a value that the partner holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch<'a> {
    /// Version, item flags and deadline; the rest is that of the value.
    pub head: RecordHead,
    /// 1 to 250 bytes.
    pub key: &'a [u8],
}

/// The lane of a record. Each may have one record in chunks at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What clients write now.
    Live = 0,
    /// A sync: what the partner lacks since the link was down, or since changes were dropped.
    Sync = 1,
}

/// What the receiver did with a record or a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The receiver's table holds this version.
    Applied,
    /// The receiver's table holds this newer version.
    Superseded(Version),
    /// The receiver has no memory for it. An older version that it held is removed.
    NoRoom,
    /// The receiver does not hold the value of a touch.
    Lacking,
    /// It took a chunk that is not the last, digests or a list.
    Chunk,
}

/// The partner sent bytes that are not a frame of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A length of zero or beyond 64 KiB.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// A type this version does not know.
    #[error("a frame of unknown type {0}")]
    Type(u8),
    /// The frame ends before its fields do.
    #[error("a {0} frame that ends too early")]
    Short(&'static str),
    /// A field with a value it cannot have.
    #[error("a {frame} frame with a wrong {field}")]
    Field {
        /// The frame's name.
        frame: &'static str,
        /// The field's name.
        field: &'static str,
    },
}

/// Longest value of the length field.
fn length_max() -> usize {
    sizes().frame_bytes_max - LENGTH_BYTES
}

/// Bytes of digests or of a list that fit a frame, behind its type and the mark of the last one.
fn sync_body_bytes_max() -> usize {
    length_max() - 2
}
