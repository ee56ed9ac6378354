//! The partner's side of the link.

use memtwin::limits::FRAME_BYTES_MAX;
use memtwin::replication::link::{Link, LinkConfig};
use memtwin::replication::wire::{Frame, Framer, Hello, WIRE_VERSIONS, WireError};
use memtwin::store::{ClassPlan, Now, OpContext, Store, StoreConfig, Timestamp};

use crate::node::{ITEM_BYTES_MAX, START};

/// Bytes the link is asked for at once.
const TRANSMIT_BYTES: usize = 64 << 10;
/// Type and length of a composed frame, then its body.
const COMPOSED: u8 = 1;
/// The link is up before the input comes.
const GREETED: u8 = 2;
const EVICTIONS: u8 = 4;
/// Milliseconds between two pieces.
const STEP_MS: u64 = 50;

/// Plays an input as what the partner sends. Panics at what is not as it must be.
pub fn partner(input: &[u8]) {
    let Some((&[modes, piece], rest)) = input.split_first_chunk() else {
        return;
    };
    let bytes = if modes & COMPOSED != 0 {
        composed(rest)
    } else {
        rest.to_vec()
    };
    let piece = usize::from(piece).max(1);
    let whole = decoded(&bytes, bytes.len().max(1));
    assert!(whole == decoded(&bytes, piece), "frames differ when cut");
    play(modes, &bytes, piece);
}

/// Frames whose lengths are true.
fn composed(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&[kind, len], rest)) = bytes.split_first_chunk() {
        let (body, later) = rest.split_at(usize::from(len).min(rest.len()));
        out.extend_from_slice(&(body.len() as u32 + 1).to_be_bytes());
        // Types are 1 to 22.
        out.push(kind % 24);
        out.extend_from_slice(body);
        bytes = later;
    }
    out
}

/// The frames, and the error at their end, in words. Each is read again as it is written.
fn decoded(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        let fed = framer.feed(piece, |frame| {
            frames.push(format!("{frame:?}"));
            let mut again = Vec::new();
            frame.encode(&mut again);
            assert!(again.len() <= FRAME_BYTES_MAX);
            let same = Frame::decode(&again[4..])?;
            assert_eq!(format!("{same:?}"), frames[frames.len() - 1]);
            Ok::<(), WireError>(())
        });
        if let Err(error) = fed {
            frames.push(error.to_string());
            break;
        }
        assert!(framer.pending_bytes() <= FRAME_BYTES_MAX);
    }
    frames
}

fn play(modes: u8, bytes: &[u8], piece: usize) {
    let store = Store::new(&StoreConfig {
        limit_bytes: 256 << 10,
        item_bytes_max: ITEM_BYTES_MAX,
        evicting: modes & EVICTIONS != 0,
        hash_secret: [7; 16],
        side: 0,
        replicated: true,
        classes: ClassPlan::default(),
    });
    let mut link = Link::new(LinkConfig {
        ack_timeout_ms: Some(20),
        side: 0,
        node_id: String::new(),
        incarnation: 1,
        policy: String::new(),
        listen_addr: String::new(),
        failover_addr: String::new(),
    });
    let mut now = START;
    link.connected(now, &store);
    let greeting = if modes & GREETED != 0 {
        greeting(now)
    } else {
        Vec::new()
    };
    let pieces = std::iter::once(&greeting[..]).chain(bytes.chunks(piece));
    for piece in pieces {
        if link.received(piece, &store, now).is_err() {
            break;
        }
        let mut out = Vec::new();
        // The state of a link must be right whatever the partner sends.
        link.transmit(&store, now, &mut out, TRANSMIT_BYTES)
            .unwrap();
        assert!(out.len() <= TRANSMIT_BYTES + FRAME_BYTES_MAX);
        while link.take_event().is_some() {}
        now.boot_ms += STEP_MS;
        now.wall_ms += STEP_MS;
        if link.tick(&store, now).is_err() {
            break;
        }
        store.expire(now, |batch: &mut OpContext| batch.dirty.clear());
    }
    link.disconnected(&store, now);
    store.audit(now);
    let memory = store.memory();
    assert!(memory.used_bytes <= memory.budget_bytes, "{memory:?}");
}

/// What brings the link up.
fn greeting(now: Now) -> Vec<u8> {
    let mut out = Vec::new();
    let hello = Hello {
        wire_min: *WIRE_VERSIONS.start(),
        wire_max: *WIRE_VERSIONS.end(),
        side: 1,
        incarnation: 2,
        clock: Timestamp::from_raw(now.wall_ms << 11),
        flush_watermark: Timestamp::from_raw(0),
        node_id: "",
        policy: "",
        wall_ms: now.wall_ms,
        last_link: None,
        listen_addr: "",
        failover_addr: "",
        hash_check: 0,
    };
    Frame::Hello(hello).encode(&mut out);
    let wire_version = *WIRE_VERSIONS.end();
    let clock = hello.clock;
    let welcome = Frame::Welcome {
        wire_version,
        clock,
    };
    welcome.encode(&mut out);
    let heartbeat = Frame::Heartbeat {
        boot_ms: now.boot_ms,
        clock,
        wall_ms: now.wall_ms,
    };
    heartbeat.encode(&mut out);
    out
}
