//! Encoded frames are decoded unchanged, however the stream is cut, and no bytes make the decoder
//! panic.

mod hello;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::{
    BUCKETS, EVICTION_NOTICES_SENT, FRAME_BYTES_MAX, IN_FLIGHT_MAX, PROMOTIONS_MAX,
    REASON_BYTES_MAX,
};
use crate::store::Evicted;

/// The latest wall clock that a timestamp can hold.
const WALL_MS_MAX: u64 = (1 << 41) - 1;

fn bytes_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// What the frames of a test are made of.
#[derive(Clone, Debug)]
struct Parts {
    lane: Lane,
    head: RecordHead,
    key: Vec<u8>,
    value: Vec<u8>,
    text: String,
    number: u64,
    runs: Vec<(Ack, u16)>,
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_raw)
}

fn version() -> impl Strategy<Value = Version> {
    (timestamp(), timestamp()).prop_map(|(timestamp, touched)| Version { timestamp, touched })
}

fn head() -> impl Strategy<Value = RecordHead> {
    let flags = (any::<u32>(), any::<u8>());
    let numbers = (any::<Option<u64>>(), any::<Option<u64>>());
    (version(), flags, numbers).prop_map(|(version, flags, (cas, deadline_ms))| RecordHead {
        version,
        client_flags: flags.0,
        item_flags: flags.1,
        cas,
        deadline_ms,
    })
}

fn run() -> impl Strategy<Value = (Ack, u16)> {
    prop_oneof![
        version().prop_map(|version| (Ack::Superseded(version), 1)),
        (1..=u16::MAX).prop_map(|count| (Ack::Applied, count)),
        (1..=u16::MAX).prop_map(|count| (Ack::NoRoom, count)),
        (1..=u16::MAX).prop_map(|count| (Ack::Chunk, count)),
        (1..=u16::MAX).prop_map(|count| (Ack::Lacking, count)),
    ]
}

prop_compose! {
    fn parts()(
        pass in any::<bool>(),
        head in head(),
        key in vec(any::<u8>(), 1..=250),
        value in vec(any::<u8>(), 1..600),
        text in ".{0,80}",
        number in any::<u64>(),
        runs in vec(run(), 1..40),
    ) -> Parts {
        let lane = if pass { Lane::Sync } else { Lane::Live };
        Parts { lane, head, key, value, text, number, runs }
    }
}

impl Parts {
    /// One frame of each type, in bytes.
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.frames(|frame| frame.encode(&mut out));
        let mut runs = self.runs.iter().copied();
        Frame::encode_acks(&mut out, || runs.next());
        let evicted = Evicted {
            slot: self.number,
            timestamp: self.head.version.timestamp,
        };
        let count = 1 + self.number as usize % EVICTION_NOTICES_SENT;
        Frame::encode_evictions(&mut out, &vec![evicted; count]);
        Frame::encode_promotions(&mut out, 0..self.number % PROMOTIONS_MAX as u64);
        out
    }

    fn hello(&self) -> Hello<'_> {
        let (number, version) = (self.number, self.head.version);
        Hello {
            wire_min: number as u16 & 7,
            wire_max: 7 + (number >> 16) as u16 % 100,
            side: (number & 1) as u8,
            incarnation: number,
            clock: version.timestamp,
            flush_watermark: version.touched,
            node_id: &self.text[..self.text.floor_char_boundary(255)],
            policy: &self.text,
            listen_addr: &self.text[..self.text.floor_char_boundary(255)],
            failover_addr: &self.text[..self.text.floor_char_boundary(9)],
            wall_ms: number & WALL_MS_MAX,
            hash_check: number.rotate_left(7),
            last_link: (number & 2 != 0).then_some(LastLink {
                incarnation: number,
                until: Timestamp::from_raw(number | 1),
            }),
        }
    }

    /// One frame of each type with a head.
    fn records(&self, each: &mut impl FnMut(Frame<'_>)) {
        let Self {
            lane,
            head,
            ref key,
            ref value,
            ..
        } = *self;
        let version = head.version;
        let touched = RecordHead {
            client_flags: 0,
            cas: None,
            ..head
        };
        each(Frame::Touch(Touch { head: touched, key }));
        let record = Record {
            lane,
            head,
            tombstone: false,
            key,
            value,
        };
        each(Frame::Record(record));
        let bare = RecordHead {
            version,
            ..RecordHead::default()
        };
        each(Frame::Record(Record {
            head: bare,
            tombstone: true,
            value: &[],
            ..record
        }));
        each(Frame::ChunkStart {
            record: Record {
                value: &value[1..],
                ..record
            },
            value_len_bytes: value.len(),
        });
    }

    fn frames(&self, mut each: impl FnMut(Frame<'_>)) {
        let Self {
            lane,
            head,
            ref value,
            ..
        } = *self;
        let number = self.number;
        let version = head.version;
        each(Frame::Hello(self.hello()));
        each(Frame::Welcome {
            wire_version: number as u16,
            clock: version.timestamp,
        });
        each(Frame::Refuse {
            code: number as u8,
            reason: &self.text,
        });
        self.records(&mut each);
        each(Frame::Chunk { lane, bytes: value });
        each(Frame::ChunkAbort { lane });
        each(Frame::Flush {
            flush_watermark: version.timestamp,
        });
        each(Frame::SyncEnd);
        each(Frame::SpaceAvailable);
        each(Frame::Heartbeat {
            boot_ms: number,
            clock: version.timestamp,
            wall_ms: number & WALL_MS_MAX,
        });
        each(Frame::HeartbeatAck { boot_ms: number });
        self.compared(each);
    }

    /// The frames of a comparison.
    fn compared(&self, mut each: impl FnMut(Frame<'_>)) {
        let (number, version, value) = (self.number, self.head.version, &self.value);
        for frame in [
            Frame::ListDone,
            Frame::Ask(Slots(&[number.to_be_bytes(); 5])),
            Frame::Asked {
                is_answered: number & 1 == 0,
            },
            Frame::Unsynced(&[number as u8; BUCKETS / 8]),
        ] {
            each(frame);
        }
        let mut runs = DigestRuns::default();
        let mut sections = SectionWriter::default();
        for (bucket, &byte) in value.iter().enumerate() {
            let digest = match byte % 3 {
                0 => BucketDigest::Empty,
                _ => BucketDigest::Sum(number.rotate_left(u32::from(byte))),
            };
            runs.push(bucket + usize::from(number as u8), digest);
            let range = (byte % 5 == 0).then_some((number, u64::MAX));
            let entries = [(number, version), (u64::MAX, version)];
            let entries = entries[..usize::from(byte) % 3].iter();
            sections.push(bucket as u16, range, entries.copied());
        }
        each(runs.frame(number & 1 == 0));
        each(sections.frame(number & 2 == 0));
    }
}

/// Every frame of a stream, each encoded again by itself.
fn decoded(chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, WireError> {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        framer.feed(chunk, |frame| {
            frames.push(bytes_of(&frame));
            Ok::<_, WireError>(())
        })?;
    }
    Ok(frames)
}

proptest! {
    #[test]
    fn a_frame_is_read_as_it_was_written(parts in parts()) {
        parts.frames(|frame| {
            let bytes = bytes_of(&frame);
            assert!(bytes.len() <= FRAME_BYTES_MAX);
            assert_eq!(Frame::decode(&bytes[LENGTH_BYTES..]), Ok(frame));
        });
        let mut bytes = Vec::new();
        let mut runs = parts.runs.iter().copied();
        Frame::encode_acks(&mut bytes, || runs.next());
        let Ok(Frame::Acks(read)) = Frame::decode(&bytes[LENGTH_BYTES..]) else {
            panic!("no frame of acks");
        };
        prop_assert_eq!(read.collect::<Vec<_>>(), parts.runs);
    }

    #[test]
    fn reads_of_any_size_give_the_same_frames(
        parts in parts(),
        sizes in vec(1..200usize, 1..40),
    ) {
        let stream = parts.encoded();
        let mut chunks = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*size));
            chunks.push(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let whole = decoded(&[&stream])?;
        prop_assert_eq!(whole.len(), 23);
        prop_assert_eq!(whole.concat(), stream.clone());
        prop_assert_eq!(decoded(&chunks)?, whole);
    }

    #[test]
    fn arbitrary_bytes_give_frames_or_an_error(
        frame_type in 0..24u8,
        body in vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = vec![frame_type];
        bytes.extend_from_slice(&body);
        if let Ok(Frame::Acks(runs)) = Frame::decode(&bytes) {
            prop_assert!(runs.count() > 0);
        }
        let _ = decoded(&[&body]);
    }

    #[test]
    fn a_damaged_frame_gives_a_frame_or_an_error(
        parts in parts(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut stream = parts.encoded();
        let place = place.index(stream.len());
        stream[place] = byte;
        let _ = decoded(&[&stream]);
        let _ = decoded(&[&stream[..cut.index(stream.len())]]);
    }
}

#[test]
fn a_length_beyond_64_kib_is_refused_before_anything_is_kept() {
    let mut framer = Framer::default();
    for length in [0, length_max() as u32 + 1, u32::MAX] {
        let fed = framer.feed(&length.to_be_bytes(), |_| Ok::<_, WireError>(()));
        assert_eq!(fed, Err(WireError::Length(length as usize)));
        assert_eq!(framer.pending_bytes(), 0);
    }
}

#[test]
fn the_largest_of_each_fits_a_frame() {
    let key = [b'k'; 250];
    let head = RecordHead {
        cas: Some(1),
        deadline_ms: Some(1),
        ..RecordHead::default()
    };
    let value = vec![7; length_max()];
    let first = &value[..first_value_bytes(&key)];
    let record = Record {
        lane: Lane::Sync,
        head,
        tombstone: false,
        key: &key,
        value: first,
    };
    let piece = Frame::Chunk {
        lane: Lane::Live,
        bytes: &value[..chunk_value_bytes()],
    };
    let start = Frame::ChunkStart {
        record,
        value_len_bytes: first.len() + 1,
    };
    for frame in [Frame::Record(record), start, piece] {
        let out = bytes_of(&frame);
        assert!(FRAME_BYTES_MAX - 8 <= out.len() && out.len() <= FRAME_BYTES_MAX);
        assert_eq!(Frame::decode(&out[LENGTH_BYTES..]), Ok(frame));
    }
}

#[test]
fn acks_of_a_full_window_need_several_frames_of_bounded_size() {
    let superseded = Ack::Superseded(Version::written(Timestamp::from_raw(u64::MAX)));
    let mut left = IN_FLIGHT_MAX;
    let (mut frames, mut runs_read) = (0, 0);
    while left > 0 {
        let mut out = Vec::new();
        Frame::encode_acks(&mut out, || {
            left = left.checked_sub(1)?;
            Some((superseded, 1))
        });
        assert!(out.len() <= FRAME_BYTES_MAX);
        let Ok(Frame::Acks(runs)) = Frame::decode(&out[LENGTH_BYTES..]) else {
            panic!("no frame of acks");
        };
        runs_read += runs.count();
        frames += 1;
    }
    assert_eq!(runs_read, IN_FLIGHT_MAX);
    assert_eq!(frames, IN_FLIGHT_MAX.div_ceil(length_max() / 17));
}

#[test]
fn a_long_reason_is_cut_between_two_characters() {
    let reason = "\u{fc}".repeat(REASON_BYTES_MAX);
    let reason = format!("x{reason}");
    let out = bytes_of(&Frame::Refuse {
        code: 1,
        reason: &reason,
    });
    let Ok(Frame::Refuse { reason, .. }) = Frame::decode(&out[LENGTH_BYTES..]) else {
        panic!("no refusal");
    };
    assert_eq!(reason.len(), REASON_BYTES_MAX - 1);
}

#[test]
fn a_wall_clock_that_no_timestamp_can_hold_is_refused() {
    let heartbeat = |wall_ms| Frame::Heartbeat {
        boot_ms: 1,
        clock: Timestamp::ZERO,
        wall_ms,
    };
    for (wall_ms, is_read) in [(WALL_MS_MAX, true), (WALL_MS_MAX + 1, false)] {
        let out = bytes_of(&heartbeat(wall_ms));
        let read = Frame::decode(&out[LENGTH_BYTES..]);
        assert_eq!(read.is_ok(), is_read, "{wall_ms}: {read:?}");
    }
}
