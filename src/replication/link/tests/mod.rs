//! Two links connected in memory, step by step.

mod acks;
mod asks;
mod chunks;
mod clocks;
mod evictions;
mod handshake;
mod invariants;
mod lag;
mod lift;
mod lives;
mod space_notice;
mod stream;
mod sync;
mod sync_cost;
mod sync_lies;
mod sync_model;
mod tickets;
mod touches;
mod versions;

use super::*;
use crate::limits::ACK_TIMEOUT_MS;
use crate::replication::bucket_set::BucketSet;
use crate::replication::wire::WireError;
use crate::store::{Action, Item, ItemHead, NEVER, OpContext, StoreConfig, Version};

const NOW: Now = Now::of(50_000, 200_000_000_000);

struct Side {
    link: Link,
    store: Store,
    now: Now,
}

fn side(side: u8) -> Side {
    side_of(side, StoreConfig::of_a_test().limit_bytes, 8 << 20)
}

fn side_of(side: u8, limit_bytes: u64, item_bytes_max: usize) -> Side {
    side_with(StoreConfig {
        limit_bytes,
        item_bytes_max,
        side,
        replicated: true,
        ..StoreConfig::of_a_test()
    })
}

fn side_with(config: StoreConfig) -> Side {
    Side {
        link: Link::new(link_config(config.side)),
        store: Store::new(&config),
        now: NOW,
    }
}

/// Side 1, which hashes keys with another secret than [`side`].
fn side_of_other_hashes() -> Side {
    side_with(StoreConfig {
        side: 1,
        replicated: true,
        hash_secret: [8; 16],
        ..StoreConfig::of_a_test()
    })
}

fn link_config(side: u8) -> LinkConfig {
    let node_id = format!("n{}", side + 1);
    LinkConfig {
        ack_timeout_ms: Some(ACK_TIMEOUT_MS),
        side,
        node_id,
        incarnation: u64::from(side),
        policy: "nodes=n1,n2".into(),
        listen_addr: String::new(),
        failover_addr: String::new(),
    }
}

impl Side {
    /// Writes and marks the key dirty, as a worker does.
    fn set(&mut self, key: &[u8], value_len: usize) {
        self.set_until(key, value_len, NEVER);
    }

    fn set_until(&mut self, key: &[u8], value_len: usize, deadline_ms: u64) {
        let context = self.put(key, value_len, deadline_ms);
        self.link.mark_dirty(&context.dirty);
    }

    /// Writes without telling the link.
    fn put(&mut self, key: &[u8], value_len: usize, deadline_ms: u64) -> OpContext {
        let mut context = OpContext::at(self.now);
        let head = ItemHead {
            deadline_ms,
            ..ItemHead::default()
        };
        let pending = self.store.pending_item(key, &head, value_len).unwrap();
        self.store
            .update(key, &mut context, |_| (Action::Put(pending), ()));
        context
    }

    fn touch(&mut self, key: &[u8], ttl_ms: u64) {
        let mut context = OpContext::at(self.now);
        let touch = Action::Touch(self.now.boot_ms + ttl_ms);
        self.store.update(key, &mut context, |_| (touch, ()));
        self.link.mark_dirty(&context.dirty);
    }

    fn delete(&mut self, key: &[u8]) {
        let mut context = OpContext::at(self.now);
        self.store
            .update(key, &mut context, |_| (Action::Remove, ()));
        self.link.mark_dirty(&context.dirty);
    }

    fn entry(&self, key: &[u8]) -> Option<Item> {
        self.store.entry(self.store.slot_of(key))
    }

    fn version_of(&self, key: &[u8]) -> Option<Version> {
        self.entry(key).map(|item| item.version())
    }

    fn has(&self, key: &[u8]) -> bool {
        self.entry(key).is_some_and(|item| !item.is_tombstone())
    }

    /// As if changes of any key were dropped.
    fn overflow(&mut self) {
        self.link.overflowed_in(&BucketSet::all());
    }

    fn transmit(&mut self, budget_bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.link
            .transmit(&self.store, self.now, &mut out, budget_bytes)
            .unwrap();
        out
    }

    fn received(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.link.received(bytes, &self.store, self.now)
    }

    fn events(&mut self) -> Vec<LinkEvent> {
        std::iter::from_fn(|| self.link.take_event()).collect()
    }
}

fn connect(a: &mut Side, b: &mut Side) {
    a.link.connected(a.now, &a.store);
    b.link.connected(b.now, &b.store);
}

/// Both nodes notice the end of their connection.
fn cut(a: &mut Side, b: &mut Side) {
    for side in [a, b] {
        side.link.disconnected(&side.store, side.now);
    }
}

/// The sums of all buckets.
fn sums(side: &Side) -> Vec<u64> {
    let mut sums = Vec::new();
    for shard in 0..side.store.shard_count() {
        side.store.sums_of(shard, &mut sums);
    }
    sums
}

/// The types of the frames in a stream.
fn kinds(stream: &[u8]) -> Vec<String> {
    let first_word = |name: &String| {
        let end = name.find(|c: char| !c.is_alphanumeric());
        name[..end.unwrap_or(name.len())].to_owned()
    };
    names(stream).iter().map(first_word).collect()
}

/// Delivers bytes in both directions until neither side has anything to send.
fn talk(a: &mut Side, b: &mut Side) {
    for _ in 0..10_000 {
        let (to_b, to_a) = exchange(a, b, 100_000);
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
    }
    panic!("both sides keep sending");
}

/// Delivers what both sides send at once; the bytes of `a`, then of `b`.
fn exchange(a: &mut Side, b: &mut Side, budget_bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let (to_b, to_a) = (a.transmit(budget_bytes), b.transmit(budget_bytes));
    b.received(&to_b).unwrap();
    a.received(&to_a).unwrap();
    (to_b, to_a)
}

/// Connects two sides, and lets them talk.
fn meet(a: &mut Side, b: &mut Side) {
    connect(a, b);
    talk(a, b);
}

fn bytes_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

fn connected_pair() -> (Side, Side) {
    let (mut a, mut b) = (side(0), side(1));
    meet(&mut a, &mut b);
    assert!(a.link.is_up() && b.link.is_up());
    (a, b)
}

/// Delivers until both are quiet; the types of the frames that each has sent.
fn settle(a: &mut Side, b: &mut Side) -> [Vec<String>; 2] {
    let mut sent = [Vec::new(), Vec::new()];
    for _ in 0..10_000 {
        let (to_b, to_a) = (a.transmit(100_000), b.transmit(100_000));
        sent[0].extend(kinds(&to_b));
        sent[1].extend(kinds(&to_a));
        let computes = [&*a, &*b].map(|side| side.link.session.sync.is_unfinished());
        if to_a.is_empty() && to_b.is_empty() && computes == [false; 2] {
            return sent;
        }
        b.received(&to_b).unwrap();
        a.received(&to_a).unwrap();
    }
    panic!("both sides keep sending");
}

fn reconnect(a: &mut Side, b: &mut Side) -> [Vec<String>; 2] {
    connect(a, b);
    settle(a, b)
}

/// Both have the same items, and know it.
fn assert_synced(a: &Side, b: &Side) {
    assert!(sums(a) == sums(b), "the tables differ");
    for side in [a, b] {
        assert!(side.link.is_drained());
        assert!(side.link.session.sync.receiver.unknown().is_empty());
        assert_eq!(side.link.counters().sync_progress_percent, 100);
        assert_eq!(side.store.memory().tombstones, 0);
    }
}

/// The names of frames in a stream, for tests of their order.
fn names(stream: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut framer = Framer::default();
    let fed = framer.feed(stream, |frame| {
        names.push(match frame {
            Frame::Record(record) if record.tombstone => "tombstone".to_owned(),
            Frame::Record(record) => String::from_utf8_lossy(record.key).into_owned(),
            Frame::Touch(_) => "touch".to_owned(),
            Frame::ChunkStart { .. } => "start".to_owned(),
            Frame::Chunk { .. } => "chunk".to_owned(),
            Frame::ChunkAbort { .. } => "abort".to_owned(),
            Frame::Acks(_) => "acks".to_owned(),
            Frame::Flush { .. } => "flush".to_owned(),
            other => format!("{other:?}"),
        });
        Ok::<_, WireError>(())
    });
    fed.unwrap();
    names
}
