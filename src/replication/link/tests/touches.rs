//! Touches that travel without their value, and the records that follow them.

use super::*;
use crate::limits::KEY_BYTES;
use crate::replication::link::{Answer, Ticket, WriteGroup};
use crate::replication::wire::{Ack, Lane, Record, Touch};
use crate::store::{RecordHead, item_flags};

/// A `-m` that leaves 864 KiB for items.
const SMALL_BYTES: u64 = (1 << 20) + (224 << 10);

/// What an item shows apart from its key and value.
fn head_of(node: &Side, key: &[u8]) -> (Version, u8, u64) {
    let item = node.store.entry(node.store.slot_of(key)).unwrap();
    assert!(!item.is_tombstone());
    (item.version(), item.item_flags(), item.deadline_ms())
}

fn unprotected(node: &Side) -> u64 {
    node.store.unprotected_items(node.now).items
}

/// Every touch sent the whole value: a session of 20 KB that is read each second and written once a
/// minute went over the link 60 times.
#[test]
fn a_touch_of_a_value_that_the_partner_holds_travels_alone() {
    let (mut a, mut b) = connected_pair();
    for (key, len) in [(&b"small"[..], 5000), (b"large", 300_000)] {
        a.set(key, len);
        talk(&mut a, &mut b);
        a.touch(key, 60_000);
        assert_eq!(unprotected(&a), 1);
        let touch = a.transmit(1 << 20);
        assert_eq!(names(&touch), ["touch"]);
        assert!(touch.len() < 60, "{}", touch.len());
        b.received(&touch).unwrap();
        talk(&mut a, &mut b);
        assert_eq!(unprotected(&a), 0);
        let (version, _, deadline_ms) = head_of(&a, key);
        // The other clock is known to a millisecond.
        assert_eq!(head_of(&b, key), (version, 0, deadline_ms + 1));
    }
    assert_eq!(b.link.counters().records_applied, 4);
    // It goes in both directions, and takes item flags along.
    let amend = Action::Amend {
        deadline_ms: NEVER,
        item_flags: item_flags::STALE,
        is_read: false,
    };
    let mut context = OpContext::at(b.now);
    b.store.update(b"large", &mut context, |_| (amend, ()));
    b.link.mark_dirty(&context.dirty);
    let touch = b.transmit(1 << 20);
    assert_eq!(names(&touch), ["touch"]);
    a.received(&touch).unwrap();
    assert_eq!(head_of(&a, b"large"), head_of(&b, b"large"));
    assert_eq!(head_of(&a, b"large").1, item_flags::STALE);
}

#[test]
fn a_touch_travels_with_its_value_until_the_partner_has_confirmed_that() {
    let (mut a, mut b) = connected_pair();
    a.set(b"k", 100);
    let first = a.transmit(1 << 20);
    a.touch(b"k", 60_000);
    assert_eq!(names(&a.transmit(1 << 20)), ["k"]);
    // Another process of the partner has confirmed nothing.
    b.received(&first).unwrap();
    a.received(&b.transmit(1 << 20)).unwrap();
    a.link.disconnected(&a.store, a.now);
    let mut b = side(1);
    b.link.config.incarnation = 99;
    connect(&mut a, &mut b);
    lives::come_up(&mut a, &mut b);
    a.touch(b"k", 90_000);
    let sent = names(&a.transmit(1 << 20));
    assert!(sent.contains(&"k".to_owned()) && !sent.contains(&"touch".to_owned()));
}

/// The partner has evicted the value, and its notice is still on the way.
#[test]
fn a_touch_whose_value_the_partner_lacks_is_followed_by_the_whole_record() {
    let (mut a, mut b) = (side(0), side_of(1, SMALL_BYTES, 1 << 20));
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    a.set(b"k", 100);
    talk(&mut a, &mut b);
    b.now.boot_ms += 5000;
    for n in 0..200 {
        b.set(format!("own{n}").as_bytes(), 9000);
    }
    assert!(!b.has(b"k"));
    a.touch(b"k", 60_000);
    let slot = a.store.slot_of(b"k");
    let group = WriteGroup {
        slots: &[slot],
        ticket: Some(Ticket {
            worker: 0,
            number: 1,
            sent_ms: a.now.boot_ms,
            is_large: false,
        }),
        has_flushed: false,
    };
    a.link.commit(&group, &a.store);
    let touch = a.transmit(1 << 20);
    assert_eq!(names(&touch), ["touch"]);
    b.received(&touch).unwrap();
    // A heartbeat and the acks, before the notice.
    a.received(&b.transmit(60)).unwrap();
    assert_eq!(a.link.counters().records_lacking, 1);
    let mut answers = Vec::new();
    a.link.take_answers(&mut answers);
    assert_eq!(
        answers,
        [Answer {
            protected: false,
            ..answers[0]
        }]
    );
    assert!(a.store.unprotected_items(a.now).items >= 1);
    assert!(!a.link.is_drained());
    talk(&mut a, &mut b);
    assert!(b.has(b"k"));
    assert_eq!(head_of(&a, b"k").0, head_of(&b, b"k").0);
    let item = a.store.entry(slot).unwrap();
    assert!(a.store.is_protected(&item));
}

#[test]
fn only_a_touch_may_be_answered_as_lacking() {
    let (mut a, mut b) = connected_pair();
    a.set(b"k", 100);
    a.transmit(1 << 20);
    let mut acks = Vec::new();
    let mut run = Some((Ack::Lacking, 1));
    Frame::encode_acks(&mut acks, || run.take());
    let wrong = LinkError::Protocol("an ack that does not fit its frame");
    assert_eq!(a.received(&acks), Err(wrong.clone()));
    b.set(b"k", 100);
    talk_from(&mut b);
    let mut acks = Vec::new();
    let mut run = Some((Ack::Applied, 1));
    Frame::encode_acks(&mut acks, || run.take());
    b.received(&acks).unwrap();
    b.touch(b"k", 60_000);
    assert_eq!(names(&b.transmit(1 << 20)), ["touch"]);
    let mut acks = Vec::new();
    let mut run = Some((Ack::NoRoom, 1));
    Frame::encode_acks(&mut acks, || run.take());
    assert_eq!(b.received(&acks), Err(wrong));
}

/// Sends what waits, and nobody answers.
fn talk_from(node: &mut Side) {
    node.transmit(1 << 20);
}

/// A sync defers a large value that the live lane is to send. If that sends a touch, what the
/// partner lacks is still to come before the end of the sync.
#[test]
fn a_sync_brings_a_large_value_whose_touch_travels_alone() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    talk(&mut a, &mut b);
    for begun in [true, false] {
        a.link.overflowed(&[a.store.slot_of(b"large")]);
        let begin = if begun { a.transmit(1) } else { Vec::new() };
        b.received(&begin).unwrap();
        a.touch(b"large", 60_000);
        let mut sent = names(&begin);
        while !sent.contains(&"SyncEnd".to_owned()) {
            let (to_b, _) = exchange(&mut a, &mut b, 1 << 20);
            sent.extend(names(&to_b));
        }
        assert!(sent.contains(&"touch".to_owned()), "{sent:?}");
        let [there, here] = [&b, &a].map(|side| side.entry(b"large").unwrap().version());
        assert_eq!(there, here);
        talk(&mut a, &mut b);
    }
}

/// Each write of a key that waits is a place in the queue and a record, or the queue is longer than
/// there are keys.
#[test]
fn ten_writes_of_a_key_travel_as_one_record() {
    let (mut a, mut b) = connected_pair();
    let mut turn = OpContext::at(a.now);
    for len in 0..10 {
        turn.dirty.extend(a.put(b"k", len, NEVER).dirty);
    }
    assert_eq!(turn.dirty.len(), 10);
    a.link.mark_dirty(&turn.dirty);
    for len in 10..20 {
        a.set(b"k", len);
    }
    a.set(b"other", 1);
    a.set(b"k", 50);
    let output = a.transmit(1 << 20);
    assert_eq!(names(&output), ["k", "other"]);
    b.received(&output).unwrap();
    let item = b.store.entry(b.store.slot_of(b"k")).unwrap();
    assert_eq!(item.value().len(), 50);
}

/// What a record costs beyond its key and value, in bytes.
#[test]
fn a_record_costs_at_most_48_bytes_beyond_key_and_value() {
    let timestamp = Timestamp::from_raw(u64::MAX);
    let head = RecordHead {
        version: Version {
            timestamp,
            touched: timestamp,
        },
        client_flags: u32::MAX,
        item_flags: item_flags::ALL,
        cas: None,
        deadline_ms: Some(u64::MAX),
    };
    let cost = |head: RecordHead, key: &[u8]| {
        let mut bytes = Vec::new();
        let record = Record {
            lane: Lane::Live,
            head,
            tombstone: false,
            key,
            value: b"value",
        };
        Frame::Record(record).encode(&mut bytes);
        bytes.len() - key.len() - 5
    };
    let with_cas = RecordHead {
        cas: Some(u64::MAX),
        ..head
    };
    assert_eq!(cost(RecordHead::default(), b"k"), 28);
    assert_eq!(cost(head, b"k"), 36);
    assert_eq!(cost(with_cas, &[b'k'; KEY_BYTES]), 44);
    let mut touch = Vec::new();
    Frame::Touch(Touch { head, key: b"k" }).encode(&mut touch);
    assert_eq!(touch.len(), 33);
}
