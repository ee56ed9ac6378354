//! Bytes to frames. Total: every input gives a frame or an error.

use super::{
    Ack, Frame, KIND_CAS, KIND_EXPIRES, KIND_SYNC, KIND_TOMBSTONE, Lane, RUN_APPLIED, RUN_CHUNK,
    RUN_LACKING, RUN_NO_ROOM, RUN_SUPERSEDED, Record, Touch, WireError, kind,
};
use crate::limits::{KEY_BYTES, LINK_VALUE_BYTES_MAX, sizes};
use crate::store::{Evicted, RecordHead, Timestamp, Version};

impl<'a> Frame<'a> {
    /// Reads one frame: its type byte and body, without the length field.
    ///
    /// # Errors
    /// The partner's fault: what is wrong with the bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let Some((&frame_type, body)) = bytes.split_first() else {
            return Err(WireError::Length(0));
        };
        match frame_type {
            kind::HELLO => Reader::new("hello", body).hello(),
            kind::WELCOME => Reader::new("welcome", body).welcome(),
            kind::REFUSE => Reader::new("refuse", body).refuse(),
            kind::RECORD => Reader::new("record", body).record(),
            kind::CHUNK_START => Reader::new("chunk-start", body).chunk_start(),
            kind::CHUNK => Reader::new("chunk", body).chunk(),
            kind::CHUNK_ABORT => {
                Reader::new("chunk-abort", body).only(|r| Ok(Self::ChunkAbort { lane: r.lane()? }))
            }
            kind::ACKS => Reader::new("acks", body).acks(),
            kind::PROMOTE => Reader::new("promote", body).promote(),
            kind::FLUSH => Reader::new("flush", body).only(|r| {
                Ok(Self::Flush {
                    flush_watermark: r.timestamp()?,
                })
            }),
            kind::SYNC_END => Reader::new("sync-end", body).only(|_| Ok(Self::SyncEnd)),
            kind::SPACE_AVAILABLE => {
                Reader::new("space-available", body).only(|_| Ok(Self::SpaceAvailable))
            }
            kind::HEARTBEAT => Reader::new("heartbeat", body).only(|r| {
                Ok(Self::Heartbeat {
                    boot_ms: r.u64()?,
                    clock: r.timestamp()?,
                    wall_ms: r.wall_ms()?,
                })
            }),
            kind::HEARTBEAT_ACK => Reader::new("heartbeat-ack", body)
                .only(|r| Ok(Self::HeartbeatAck { boot_ms: r.u64()? })),
            kind::EVICTED => Reader::new("evicted", body).evicted(),
            kind::TOUCH => Reader::new("touch", body).touch(),
            kind::DIGESTS => Reader::new("digests", body).digests(),
            kind::LIST => Reader::new("list", body).list(),
            kind::LIST_DONE => Reader::new("list-done", body).only(|_| Ok(Self::ListDone)),
            kind::ASK => Reader::new("ask", body).ask(),
            kind::ASKED => Reader::new("asked", body).only(|r| match r.u8()? {
                0 => Ok(Self::Asked { is_answered: false }),
                1 => Ok(Self::Asked { is_answered: true }),
                _ => Err(r.wrong("mark")),
            }),
            kind::UNSYNCED => Reader::new("unsynced", body)
                .only(|r| Ok(Self::Unsynced(r.take(sizes().buckets() / 8)?))),
            unknown => Err(WireError::Type(unknown)),
        }
    }
}

/// The runs of an ack frame, checked when the frame was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs<'a>(pub(super) &'a [u8]);

impl Iterator for Runs<'_> {
    /// An ack, and how many times in a row (at least once).
    type Item = (Ack, u16);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = Reader::new("acks", self.0);
        let run = reader.run().ok()?;
        self.0 = reader.rest;
        Some(run)
    }
}

/// The slots of a promotion frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots<'a>(pub(super) &'a [[u8; 8]]);

impl Slots<'_> {
    /// Every slot in turn.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|slot| u64::from_be_bytes(*slot))
    }
}

/// The evictions of a frame, checked when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evictions<'a>(pub(super) &'a [[u8; 16]]);

impl Iterator for Evictions<'_> {
    type Item = Evicted;

    fn next(&mut self) -> Option<Self::Item> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Reader::new("evicted", first).eviction().ok()
    }
}

/// Reads the fields of a frame's body one after the other.
pub(super) struct Reader<'a> {
    frame: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'static str, body: &'a [u8]) -> Self {
        Self { frame, rest: body }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads a frame of fixed fields: nothing may follow them.
    pub(super) fn only(
        mut self,
        fields: impl FnOnce(&mut Self) -> Result<Frame<'a>, WireError>,
    ) -> Result<Frame<'a>, WireError> {
        let frame = fields(&mut self)?;
        if self.rest.is_empty() {
            Ok(frame)
        } else {
            Err(self.wrong("length"))
        }
    }

    fn record(mut self) -> Result<Frame<'a>, WireError> {
        let (lane, tombstone, head) = self.head()?;
        let key = self.key()?;
        if tombstone && !self.rest.is_empty() {
            return Err(self.wrong("length"));
        }
        Ok(Frame::Record(Record {
            lane,
            head,
            tombstone,
            key,
            value: self.rest,
        }))
    }

    fn touch(self) -> Result<Frame<'a>, WireError> {
        self.only(|r| {
            let kind = r.u8()?;
            if kind & !KIND_EXPIRES != 0 {
                return Err(r.wrong("kind"));
            }
            let head = RecordHead {
                version: r.version()?,
                item_flags: r.u8()?,
                deadline_ms: (kind != 0).then(|| r.u64()).transpose()?,
                ..RecordHead::default()
            };
            let key = r.key()?;
            Ok(Frame::Touch(Touch { head, key }))
        })
    }

    fn chunk_start(mut self) -> Result<Frame<'a>, WireError> {
        let (lane, tombstone, head) = self.head()?;
        if tombstone {
            return Err(self.wrong("kind"));
        }
        let value_len_bytes = u32::from_be_bytes(self.array()?) as usize;
        let key = self.key()?;
        // At least one chunk must follow.
        if value_len_bytes <= self.rest.len() || value_len_bytes > LINK_VALUE_BYTES_MAX {
            return Err(self.wrong("value length"));
        }
        let record = Record {
            lane,
            head,
            tombstone,
            key,
            value: self.rest,
        };
        Ok(Frame::ChunkStart {
            record,
            value_len_bytes,
        })
    }

    fn chunk(mut self) -> Result<Frame<'a>, WireError> {
        let lane = self.lane()?;
        if self.rest.is_empty() {
            return Err(self.wrong("length"));
        }
        Ok(Frame::Chunk {
            lane,
            bytes: self.rest,
        })
    }

    fn ask(self) -> Result<Frame<'a>, WireError> {
        match self.rest.as_chunks::<8>() {
            (slots, []) if (1..=sizes().ask_keys_max).contains(&slots.len()) => {
                Ok(Frame::Ask(Slots(slots)))
            }
            _ => Err(self.wrong("length")),
        }
    }

    fn acks(mut self) -> Result<Frame<'a>, WireError> {
        let runs = Runs(self.rest);
        self.run()?;
        while !self.rest.is_empty() {
            self.run()?;
        }
        Ok(Frame::Acks(runs))
    }

    fn promote(self) -> Result<Frame<'a>, WireError> {
        match self.rest.as_chunks::<8>() {
            (slots, []) => Ok(Frame::Promote(Slots(slots))),
            _ => Err(self.wrong("length")),
        }
    }

    /// The mark of the last frame of its type. Any other must have something in it.
    pub(super) fn is_last(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 if self.rest().is_empty() => Err(self.wrong("length")),
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong("mark of the last")),
        }
    }

    fn evicted(self) -> Result<Frame<'a>, WireError> {
        let (pairs, []) = self.rest.as_chunks::<16>() else {
            return Err(self.wrong("length"));
        };
        if pairs.is_empty() {
            return Err(self.wrong("length"));
        }
        for pair in pairs {
            Reader::new(self.frame, pair).eviction()?;
        }
        Ok(Frame::Evicted(Evictions(pairs)))
    }

    fn eviction(&mut self) -> Result<Evicted, WireError> {
        Ok(Evicted {
            slot: self.u64()?,
            timestamp: self.timestamp()?,
        })
    }

    fn run(&mut self) -> Result<(Ack, u16), WireError> {
        let ack = match self.u8()? {
            RUN_APPLIED => Ack::Applied,
            RUN_NO_ROOM => Ack::NoRoom,
            RUN_CHUNK => Ack::Chunk,
            RUN_LACKING => Ack::Lacking,
            RUN_SUPERSEDED => return Ok((Ack::Superseded(self.version()?), 1)),
            _ => return Err(self.wrong("ack")),
        };
        match self.u16()? {
            0 => Err(self.wrong("count")),
            count => Ok((ack, count)),
        }
    }

    fn head(&mut self) -> Result<(Lane, bool, RecordHead), WireError> {
        let kind = self.u8()?;
        let tombstone = kind & KIND_TOMBSTONE != 0;
        let known = if tombstone {
            KIND_SYNC | KIND_TOMBSTONE
        } else {
            KIND_SYNC | KIND_CAS | KIND_EXPIRES
        };
        if kind & !known != 0 {
            return Err(self.wrong("kind"));
        }
        let lane = if kind & KIND_SYNC == 0 {
            Lane::Live
        } else {
            Lane::Sync
        };
        let version = self.version()?;
        let mut head = RecordHead {
            version,
            client_flags: 0,
            item_flags: 0,
            cas: None,
            deadline_ms: None,
        };
        if !tombstone {
            head.client_flags = u32::from_be_bytes(self.array()?);
            head.item_flags = self.u8()?;
            head.cas = (kind & KIND_CAS != 0).then(|| self.u64()).transpose()?;
            head.deadline_ms = (kind & KIND_EXPIRES != 0).then(|| self.u64()).transpose()?;
        }
        Ok((lane, tombstone, head))
    }

    fn key(&mut self) -> Result<&'a [u8], WireError> {
        let len = usize::from(self.u8()?);
        if len == 0 || len > KEY_BYTES {
            return Err(self.wrong("key length"));
        }
        self.take(len)
    }

    pub(super) fn text(
        &mut self,
        len: usize,
        len_max: usize,
        field: &'static str,
    ) -> Result<&'a str, WireError> {
        if len > len_max {
            return Err(self.wrong(field));
        }
        str::from_utf8(self.take(len)?).map_err(|_| self.wrong(field))
    }

    fn lane(&mut self) -> Result<Lane, WireError> {
        match self.u8()? {
            0 => Ok(Lane::Live),
            1 => Ok(Lane::Sync),
            _ => Err(self.wrong("lane")),
        }
    }

    pub(super) fn version(&mut self) -> Result<Version, WireError> {
        Ok(Version {
            timestamp: self.timestamp()?,
            touched: self.timestamp()?,
        })
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, WireError> {
        let raw = self.u64()?;
        Timestamp::from_wire(raw).ok_or_else(|| self.wrong("timestamp"))
    }

    pub(super) fn wall_ms(&mut self) -> Result<u64, WireError> {
        let wall_ms = self.u64()?;
        if Timestamp::at_wall_ms(wall_ms).wall_ms() == wall_ms {
            Ok(wall_ms)
        } else {
            Err(self.wrong("wall clock"))
        }
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(WireError::Short(self.frame))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(WireError::Short(self.frame))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn wrong(&self, field: &'static str) -> WireError {
        WireError::Field {
            frame: self.frame,
            field,
        }
    }
}
