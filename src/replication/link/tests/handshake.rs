//! How a link comes up, is refused, and ends.

use super::*;
use crate::limits::{REPLACEABLE_SILENCE_MS, TIMESTAMP_AHEAD_MAX_MS};
use crate::replication::wire::{Ack, Lane};

#[test]
fn both_sides_absorb_clock_and_flush_watermark_before_any_record() {
    let (mut a, mut b) = (side(0), side(1));
    b.now.wall_ms += 30_000;
    b.set(b"key", 1);
    let flush_watermark = b.store.flush(&mut OpContext::at(b.now));
    connect(&mut a, &mut b);
    let hello = b.transmit(1000);
    a.received(&hello).unwrap();
    assert!(a.store.hybrid_clock().next(a.now) > flush_watermark);
    assert_eq!(a.store.flush_watermark(), flush_watermark);
    assert_eq!(a.events(), [LinkEvent::FlushRaised { flush_watermark }]);
}

/// Connects two nodes that refuse each other; returns the kind and the events of both.
fn refusal(mut a: Side, mut b: Side) -> (RefusalKind, Vec<LinkEvent>, Vec<LinkEvent>) {
    connect(&mut a, &mut b);
    let (to_b, to_a) = (a.transmit(1000), b.transmit(1000));
    let at_a = a.received(&to_a);
    let at_b = b.received(&to_b);
    let (farewell_a, farewell_b) = (a.transmit(1000), b.transmit(1000));
    let kind = match at_a.as_ref().err().or_else(|| at_b.as_ref().err()) {
        Some(LinkError::Refused(reason)) => reason.kind,
        other => panic!("not refused: {other:?}"),
    };
    // A side that did not refuse is told the reason.
    for (node, answered, farewell) in [(&mut a, at_a, farewell_b), (&mut b, at_b, farewell_a)] {
        if answered.is_ok() {
            let told = node.received(&farewell);
            assert!(matches!(told, Err(LinkError::RefusedByPartner(_))));
        }
    }
    assert!(!a.link.is_up() && !b.link.is_up());
    assert!(a.transmit(1000).is_empty());
    (kind, a.events(), b.events())
}

#[test]
fn nodes_that_cannot_pair_refuse_each_other_with_a_reason_on_both_sides() {
    let equal_sides = (side(1), side(1));
    let mut clock = (side(0), side(1));
    clock.1.now.wall_ms += TIMESTAMP_AHEAD_MAX_MS + 1000;
    for ((a, b), wanted) in [
        (equal_sides, RefusalKind::EqualSides),
        (clock, RefusalKind::ClockAhead),
    ] {
        let (kind, at_a, at_b) = refusal(a, b);
        assert_eq!(kind, wanted);
        for events in [at_a, at_b] {
            let [LinkEvent::Refused { reason, .. }] = &events[..] else {
                panic!("{wanted:?}: {events:?}");
            };
            assert_eq!(reason.kind, wanted);
            assert!(reason.reason.len() > 20);
        }
    }
}

/// Regression: settings that differed were a refusal, so they could only be changed by stopping
/// both nodes, which loses everything.
#[test]
fn nodes_with_other_settings_and_addresses_connect_and_hear_of_them() {
    let (mut a, mut b) = (side(0), side(1));
    b.link = Link::new(LinkConfig {
        policy: "nodes=n1,n3".into(),
        listen_addr: "10.0.0.2:11311".into(),
        failover_addr: "a".repeat(300),
        ..link_config(1)
    });
    meet(&mut a, &mut b);
    let events = a.events();
    let partner = events.iter().find_map(|event| match event {
        LinkEvent::Up { partner } => Some(partner),
        _ => None,
    });
    let partner = partner.unwrap();
    assert_eq!(partner.policy, "nodes=n1,n3");
    assert_eq!(partner.listen_addr, "10.0.0.2:11311");
    assert_eq!(partner.failover_addr, "a".repeat(255));
}

#[test]
fn a_clock_a_minute_ahead_raises_one_alarm_and_is_absorbed() {
    let (mut a, mut b) = (side(0), side(1));
    b.now.wall_ms += 90_000;
    meet(&mut a, &mut b);
    b.set(b"key", 5);
    talk(&mut a, &mut b);
    let is_alarm = |event: &&LinkEvent| matches!(event, LinkEvent::ClockAhead { .. });
    let alarms = |events: Vec<LinkEvent>| events.iter().filter(is_alarm).count();
    assert_eq!(alarms(a.events()), 1);
    assert_eq!(alarms(b.events()), 0);
    assert!(a.link.counters().clock_ahead >= 2);
    assert!(a.store.hybrid_clock().highest().wall_ms() >= b.now.wall_ms);
}

/// Regression: any node with the key replaced a running link, and the replaced node took it back.
#[test]
fn only_the_same_process_replaces_a_live_link() {
    let (mut a, b) = connected_pair();
    let refusal = |a: &Side, side, incarnation| {
        let mut hello = b.link.hello(&b.store, b.now);
        (hello.side, hello.incarnation) = (side, incarnation);
        let refusal = a.link.refuses_replacement(&hello, a.now);
        refusal.map(|refusal| refusal.kind)
    };
    let (own, other) = (1, 7);
    assert_eq!(refusal(&a, 1, own), None);
    let linked_elsewhere = Some(RefusalKind::LinkedElsewhere);
    a.now.boot_ms += REPLACEABLE_SILENCE_MS - 1;
    assert_eq!(refusal(&a, 1, other), linked_elsewhere);
    a.now.boot_ms += 1;
    assert_eq!(refusal(&a, 1, other), None, "the link is silent");
    // A node that would be refused replaces nothing, however silent the link is.
    assert_eq!(refusal(&a, 0, other), Some(RefusalKind::EqualSides));
    // A link whose partner has not sent its hello may be replaced by any.
    a.link.connected(a.now, &a.store);
    assert_eq!(refusal(&a, 1, other), None);
}

#[test]
fn frames_before_the_handshake_end_the_link() {
    for frame in [
        Frame::SyncEnd,
        Frame::Welcome {
            wire_version: 0,
            clock: Timestamp::ZERO,
        },
        Frame::Heartbeat {
            boot_ms: 1,
            clock: Timestamp::ZERO,
            wall_ms: 0,
        },
        Frame::HeartbeatAck { boot_ms: 1 },
    ] {
        let mut a = side(0);
        a.link.connected(a.now, &a.store);
        let ended = a.received(&bytes_of(&frame));
        assert!(matches!(ended, Err(LinkError::Protocol(_))), "{frame:?}");
        assert!(a.transmit(1000).is_empty());
    }
}

#[test]
fn a_second_of_silence_is_down_unless_this_process_was_paused() {
    let (mut a, _b) = connected_pair();
    assert!(a.link.next_tick_ms(a.now) <= HEARTBEAT_MS);
    let mut heartbeats = 0;
    for _ in 0..9 {
        a.now.boot_ms += 100;
        a.link.tick(&a.store, a.now).unwrap();
        heartbeats += names(&a.transmit(1000)).len();
    }
    assert_eq!(heartbeats, 4);
    a.now.boot_ms += 100;
    assert_eq!(a.link.tick(&a.store, a.now), Err(LinkError::Silent));

    let (mut a, mut b) = connected_pair();
    a.now.boot_ms += 30_000;
    a.link.tick(&a.store, a.now).unwrap();
    b.now.boot_ms += 300;
    let alive = b.transmit(1000);
    a.received(&alive).unwrap();
    a.now.boot_ms += 190;
    a.link.tick(&a.store, a.now).unwrap();
}

#[test]
fn a_new_connection_starts_without_the_state_of_the_old_one() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    let half = a.transmit(1);
    b.received(&half).unwrap();
    b.received(&[0, 0]).unwrap();
    assert_eq!(a.link.counters().unconfirmed_records, 1);
    // Side 1 gets the new connection before it notices the end of the old one.
    a.link.disconnected(&a.store, a.now);
    connect(&mut a, &mut b);
    assert_eq!(a.link.counters().unconfirmed_records, 0);
    talk(&mut a, &mut b);
    assert!(b.has(b"large"));
}

#[test]
fn a_protocol_error_ends_the_link_and_later_bytes_are_ignored() {
    let piece = Frame::Chunk {
        lane: Lane::Live,
        bytes: b"x",
    };
    let mut ack_without_a_record = Vec::new();
    let mut runs = [(Ack::Applied, 1)].into_iter();
    Frame::encode_acks(&mut ack_without_a_record, || runs.next());
    let piece_without_start = bytes_of(&piece);
    let giant_length = vec![0xff; 16];
    for bytes in [ack_without_a_record, piece_without_start, giant_length] {
        let (mut a, _) = connected_pair();
        assert!(a.received(&bytes).is_err());
        assert!(!a.link.is_up());
        assert!(a.transmit(1000).is_empty());
        assert_eq!(a.received(b"more"), Ok(()));
    }
}
