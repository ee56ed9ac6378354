//! The order of frames in the stream, and the windows of both lanes.

use super::*;
use crate::limits::{LIVE_WINDOW_BYTES, SYNC_WINDOW_BYTES};

#[test]
fn a_new_link_brings_both_tables_and_both_nodes_get_the_events() {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"of a", 10);
    b.set(b"of b", 200_000);
    b.delete(b"gone");
    meet(&mut a, &mut b);
    for node in [&mut a, &mut b] {
        assert!(node.has(b"of a") && node.has(b"of b"));
        assert_eq!(node.store.memory().tombstones, 0);
        let events = node.events();
        assert!(matches!(events[0], LinkEvent::Up { .. }));
        assert!(events.contains(&LinkEvent::OwnSyncDone));
        assert!(events.contains(&LinkEvent::PartnerSyncDone));
        assert!(node.link.is_drained());
        assert_eq!(node.link.counters().unconfirmed_bytes, 0);
    }
}

/// Once the partner has its ack it forgets the deletion; a last chunk after that would bring
/// the deleted session back.
#[test]
fn a_transfer_ends_before_the_ack_of_the_record_that_replaced_it() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    let first = a.transmit(1);
    assert_eq!(names(&first), ["start"]);
    b.received(&first).unwrap();
    b.now.wall_ms += 5;
    b.delete(b"large");
    let deletion = b.transmit(1000);
    assert_eq!(names(&deletion), ["acks", "tombstone"]);
    a.received(&deletion).unwrap();
    let ack = a.transmit(100_000);
    assert_eq!(names(&ack), ["abort", "acks"]);
    b.received(&ack).unwrap();
    talk(&mut a, &mut b);
    assert!(!a.has(b"large") && !b.has(b"large"));
    assert_eq!(b.store.memory().tombstones, 0);
}

#[test]
fn a_local_deletion_ends_the_transfer_of_its_key() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    let mut stream = a.transmit(1);
    a.delete(b"large");
    stream.extend(a.transmit(100_000));
    assert_eq!(names(&stream), ["start", "abort", "tombstone"]);
    b.received(&stream).unwrap();
    talk(&mut a, &mut b);
    assert_eq!(a.link.counters().records_aborted, 1);
    assert!(!b.has(b"large"));
}

#[test]
fn small_records_overtake_large_values_where_clients_wait_for_acks() {
    let (mut a, _) = connected_pair();
    for key in [b"large 1", b"large 2", b"large 3"] {
        a.set(key, 900_000);
    }
    a.set(b"small", 1);
    assert_eq!(names(&a.transmit(1 << 20)), ["small", "start"]);
    a.set(b"second", 1);
    assert_eq!(names(&a.transmit(1 << 20)), ["second", "chunk"]);
}

#[test]
fn in_async_mode_later_keys_wait_for_a_value_up_to_a_mebibyte() {
    let (mut a, mut b) = (side(0), side(1));
    a.link = Link::new(LinkConfig {
        ack_timeout_ms: None,
        ..link_config(0)
    });
    meet(&mut a, &mut b);
    a.set(b"session", 150_000);
    a.set(b"lock", 1);
    let mut sent = Vec::new();
    for _ in 0..4 {
        let output = a.transmit(1 << 20);
        sent.extend(names(&output));
        b.received(&output).unwrap();
        let acks = b.transmit(1 << 20);
        a.received(&acks).unwrap();
    }
    assert_eq!(sent, ["start", "chunk", "chunk", "lock"]);
    a.set(b"huge", 1_500_000);
    assert_eq!(names(&a.transmit(1 << 20)), ["start"]);
    a.set(b"lock", 1);
    assert_eq!(names(&a.transmit(1 << 20)), ["lock", "chunk"]);
}

#[test]
fn a_flush_is_sent_before_records_written_after_it() {
    let (mut a, mut b) = connected_pair();
    a.set(b"before", 5);
    a.store.flush(&mut OpContext::at(a.now));
    a.set(b"after", 5);
    let stream = a.transmit(1000);
    assert_eq!(names(&stream), ["flush", "after"]);
    b.received(&stream).unwrap();
    assert_eq!(b.store.flush_watermark(), a.store.flush_watermark());
    // The flush is not sent back.
    assert_eq!(names(&b.transmit(1000)), ["acks"]);
}

/// Regression: every flush was an event of its own, and events beyond a bound were dropped. A burst
/// of flushes displaced the end of the sync, and a restarted node never opened its client
/// port.
#[test]
fn a_burst_of_flushes_displaces_no_other_event() {
    let (mut a, mut b) = (side(0), side(1));
    connect(&mut a, &mut b);
    let end = loop {
        let (to_b, to_a) = (a.transmit(100), b.transmit(100));
        a.received(&to_a).unwrap();
        if names(&to_b).contains(&"SyncEnd".to_owned()) {
            break to_b;
        }
        b.received(&to_b).unwrap();
    };
    let mut burst = Vec::new();
    for _ in 0..1000 {
        a.now.wall_ms += 1;
        let flush_watermark = a.store.hybrid_clock().next(a.now);
        Frame::Flush { flush_watermark }.encode(&mut burst);
    }
    let flush_watermark = a.store.hybrid_clock().highest();
    burst.extend(end);
    b.received(&burst).unwrap();
    let events = b.events();
    assert!(matches!(events[0], LinkEvent::Up { .. }), "{events:?}");
    assert!(events.contains(&LinkEvent::PartnerSyncDone), "{events:?}");
    assert!(events.contains(&LinkEvent::FlushRaised { flush_watermark }));
    assert!(events.len() <= 5, "{events:?}");
}

#[test]
fn without_acks_no_more_than_the_live_window_is_sent() {
    let (mut a, _) = connected_pair();
    for n in 0..9000 {
        a.set(format!("key{n}").as_bytes(), 1000);
    }
    let mut sent = 0;
    for _ in 0..1000 {
        sent += a.transmit(64 * 1024).len();
    }
    let expected = LIVE_WINDOW_BYTES - 128 * 1024 + 1..=LIVE_WINDOW_BYTES;
    assert!(expected.contains(&sent), "{sent}");
    assert!(a.link.counters().queue_keys > 0);
}

#[test]
fn a_sync_has_its_own_window_and_leaves_the_wire_to_live_records() {
    let (mut a, mut b) = (side(0), side(1));
    for n in 0..1000 {
        a.set(format!("key{n}").as_bytes(), 1000);
    }
    connect(&mut a, &mut b);
    while a.link.counters().records_sent == 0 {
        exchange(&mut a, &mut b, 1);
    }
    let mut sent = 0;
    for _ in 0..100 {
        sent += a.transmit(64 * 1024).len();
    }
    let expected = SYNC_WINDOW_BYTES / 2 + 1..=SYNC_WINDOW_BYTES + 1000;
    assert!(expected.contains(&sent), "{sent}");
    a.set(b"live", 10);
    assert_eq!(names(&a.transmit(64 * 1024)), ["live"]);
}

#[test]
fn a_busy_node_still_finishes_its_sync() {
    let (mut a, mut b) = (side(0), side(1));
    for n in 0..300 {
        a.set(format!("old{n}").as_bytes(), 1000);
    }
    connect(&mut a, &mut b);
    let mut written = 0;
    while !b.events().contains(&LinkEvent::PartnerSyncDone) {
        // More than the budget in each round.
        for n in 0..100 {
            a.set(format!("new{n}").as_bytes(), 1000);
            written += 1;
        }
        exchange(&mut a, &mut b, 64 * 1024);
        assert!(written < 100_000, "the sync starves");
    }
    assert!(b.has(b"old0") && b.has(b"old299"));
}

#[test]
fn an_overflow_adds_a_sync() {
    let (mut a, mut b) = connected_pair();
    assert_eq!(a.link.counters().pass_sent, 1);
    a.overflow();
    talk(&mut a, &mut b);
    let counters = a.link.counters();
    assert_eq!((counters.pass_sent, counters.queue_overflows), (2, 1));
    assert_eq!(b.link.counters().pass_received, 2);
}

/// Regression: chunks counted as records, 62 of them for one key, and nothing showed that a sync
/// was still to be sent.
#[test]
fn what_is_unconfirmed_is_counted_in_records_and_syncs() {
    let (mut a, mut b) = connected_pair();
    let unconfirmed = |node: &Side| {
        let counters = node.link.counters();
        (counters.unconfirmed_records, counters.sync_pending)
    };
    assert_eq!(unconfirmed(&a), (0, false));
    a.set(b"large", 300_000);
    let first = a.transmit(1);
    assert_eq!(unconfirmed(&a), (1, false));
    let rest = a.transmit(1 << 20);
    assert_eq!(unconfirmed(&a), (1, false));
    b.received(&[first, rest].concat()).unwrap();
    talk(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), (0, false));

    a.put(b"dropped", 10, NEVER);
    a.overflow();
    assert_eq!(unconfirmed(&a), (0, true));
    let sync = loop {
        let to_b = a.transmit(1 << 20);
        if unconfirmed(&a).0 > 0 {
            break to_b;
        }
        assert_eq!(unconfirmed(&a), (0, true), "compared");
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1 << 20);
        a.received(&to_a).unwrap();
    };
    assert_eq!(unconfirmed(&a), (1, true), "sent, not acknowledged");
    b.received(&sync).unwrap();
    talk(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), (0, false));
    a.link.disconnected(&a.store, a.now);
    assert_eq!(unconfirmed(&a), (0, true));
    connect(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), (0, true));
    talk(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), (0, false));
}

#[test]
fn promotions_reach_the_partner_with_the_next_heartbeat() {
    let (mut a, mut b) = connected_pair();
    a.set(b"hot", 5);
    talk(&mut a, &mut b);
    let slot = a.store.slot_of(b"hot");
    a.link.promote(&[slot]);
    a.now.boot_ms += HEARTBEAT_MS;
    let stream = a.transmit(1000);
    let mut slots = Vec::new();
    let mut framer = Framer::default();
    let fed = framer.feed(&stream, |frame| {
        if let Frame::Promote(promoted) = frame {
            slots.extend(promoted.iter());
        }
        Ok::<_, WireError>(())
    });
    fed.unwrap();
    assert_eq!(slots, [slot]);
    b.received(&stream).unwrap();
}

/// Regression: a record carried the remaining time of its item, so an item that waited behind a
/// burst on a slow link lived longer on the partner. When the link came up again, the sync brought
/// expired items back to the node that had written them.
#[test]
fn time_on_the_wire_does_not_prolong_an_items_life() {
    let (mut a, mut b) = (side(0), side(1));
    b.now.boot_ms += 1_000_000;
    meet(&mut a, &mut b);
    let deadline_ms = a.now.boot_ms + 6000;
    a.set_until(b"small", 5, deadline_ms);
    a.set_until(b"large", 300_000, deadline_ms);
    a.set(b"for ever", 5);
    for waits_ms in [3000, 500] {
        let stream = a.transmit(100_000);
        for node in [&mut a, &mut b] {
            node.now.boot_ms += waits_ms;
        }
        b.received(&stream).unwrap();
    }
    talk(&mut a, &mut b);
    let deadline_at_b = |key| b.entry(key).unwrap().deadline_ms();
    for key in [&b"small"[..], b"large"] {
        assert_eq!(deadline_at_b(key), deadline_ms + 1_000_000 + 1);
    }
    assert_eq!(deadline_at_b(b"for ever"), NEVER);
}
