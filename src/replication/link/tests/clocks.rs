//! Heartbeats: they are answered, bring the partner's clock, and show how far the wall clocks
//! differ.

use super::*;
use crate::limits::{SKEW_ALARM_MS, SKEW_PERIOD_MS};

/// Lets so many heartbeats pass in both directions.
fn beat(a: &mut Side, b: &mut Side, heartbeats: u64) {
    for _ in 0..heartbeats {
        for node in [&mut *a, &mut *b] {
            node.now.boot_ms += HEARTBEAT_MS;
            node.now.wall_ms += HEARTBEAT_MS;
            node.link.tick(&node.store, node.now).unwrap();
        }
        talk(a, b);
    }
}

#[test]
fn of_heartbeats_that_arrive_together_only_the_last_is_answered() {
    let (mut a, mut b) = connected_pair();
    let mut stream = Vec::new();
    for _ in 0..100 {
        a.now.boot_ms += HEARTBEAT_MS;
        stream.extend(a.transmit(1000));
    }
    b.received(&stream).unwrap();
    let answers = names(&b.transmit(100_000));
    let last = format!("HeartbeatAck {{ boot_ms: {} }}", a.now.boot_ms);
    assert_eq!(answers, [last]);
}

#[test]
fn an_answer_to_a_heartbeat_that_was_not_sent_ends_the_link() {
    let (mut a, _b) = connected_pair();
    let boot_ms = a.now.boot_ms + 1;
    let answer = bytes_of(&Frame::HeartbeatAck { boot_ms });
    assert!(matches!(a.received(&answer), Err(LinkError::Protocol(_))));
}

#[test]
fn a_heartbeat_brings_the_clock_of_a_partner_that_writes_nothing() {
    let (mut a, mut b) = connected_pair();
    b.now.wall_ms += 5000;
    b.now.boot_ms += HEARTBEAT_MS;
    let heartbeat = b.transmit(1000);
    a.received(&heartbeat).unwrap();
    assert!(a.store.hybrid_clock().next(a.now).wall_ms() >= b.now.wall_ms);
}

#[test]
fn wall_clocks_that_differ_are_reported_once_and_when_they_agree_again() {
    let (mut a, mut b) = (side(0), side(1));
    b.now.wall_ms -= SKEW_ALARM_MS;
    meet(&mut a, &mut b);
    assert_eq!(a.link.counters().clock_skew_ms, None);
    let changes = |node: &mut Side| {
        let events = node.events().into_iter();
        let changes = events.filter(|event| matches!(event, LinkEvent::WallClocks { .. }));
        changes.collect::<Vec<_>>()
    };
    let differ = |skew_ms| LinkEvent::WallClocks {
        differ: true,
        skew_ms,
    };
    beat(&mut a, &mut b, 50);
    assert_eq!(a.link.counters().clock_skew_ms, Some(-1000));
    assert_eq!(b.link.counters().clock_skew_ms, Some(1000));
    assert_eq!(changes(&mut a), [differ(-1000)]);
    assert_eq!(changes(&mut b), [differ(1000)]);
    // A new link is no change of state.
    meet(&mut a, &mut b);
    beat(&mut a, &mut b, 50);
    assert_eq!(changes(&mut a), []);
    b.now.wall_ms += SKEW_ALARM_MS;
    beat(&mut a, &mut b, 2 * SKEW_PERIOD_MS / HEARTBEAT_MS + 1);
    for node in [&mut a, &mut b] {
        let agreed = LinkEvent::WallClocks {
            differ: false,
            skew_ms: 0,
        };
        assert_eq!(changes(node), [agreed]);
    }
}

#[test]
fn a_node_whose_clock_was_never_set_is_no_year_behind_its_partner() {
    let (mut a, mut b) = (side(0), side(1));
    a.now.wall_ms = 40;
    meet(&mut a, &mut b);
    assert!(a.link.is_up() && b.link.is_up());
    beat(&mut a, &mut b, 10);
    assert!(a.store.hybrid_clock().next(a.now).wall_ms() >= b.now.wall_ms - HEARTBEAT_MS);
}
