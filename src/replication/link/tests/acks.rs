//! What an ack changes in the sender's own table and clock.

use super::*;
use crate::limits::{Sizes, set_sizes};
use crate::store::Unreplicated;

/// Delivers the acks of `from` and nothing else.
fn acks_arrive(from: &mut Side, to: &mut Side) {
    let acks = from.transmit(1);
    assert_eq!(names(&acks), ["acks"]);
    to.received(&acks).unwrap();
}

/// Regression: no test failed if *no room* was treated as a confirmation. Such a sender evicts the
/// only copy of an item without leaving a tombstone, and counts it as replicated.
#[test]
fn a_record_without_room_is_not_confirmed() {
    let (mut a, mut b) = (side(0), side_of(1, 64 << 20, 1 << 20));
    a.set(b"in a sync", 2 << 20);
    meet(&mut a, &mut b);
    a.set(b"live", 2 << 20);
    a.set(b"small", 100);
    talk(&mut a, &mut b);
    assert_eq!(a.link.counters().records_no_room, 2);
    let item = |key: &[u8]| a.entry(key).unwrap();
    for key in [&b"in a sync"[..], b"live"] {
        let item = item(key);
        assert!(!item.is_confirmed() && !item.is_value_confirmed());
    }
    assert!(item(b"small").is_confirmed());
    let unreplicated = a.store.count_unreplicated(Unreplicated::Unconfirmed, a.now);
    assert_eq!(unreplicated.items, 2);
}

/// The ack overtakes the newer record itself. A write between the two, on the node whose clock
/// is behind, got a lower timestamp than the newer record: it was acknowledged to the client and
/// lost on both nodes.
#[test]
fn a_write_after_a_superseded_ack_wins() {
    let (mut a, mut b) = connected_pair();
    b.now.wall_ms += 10_000;
    b.set(b"k", 10);
    let newer = b.version_of(b"k").unwrap();
    a.set(b"k", 20);
    b.received(&a.transmit(1000)).unwrap();
    acks_arrive(&mut b, &mut a);
    assert_eq!(a.link.counters().records_superseded, 1);
    a.set(b"k", 30);
    let last = a.version_of(b"k").unwrap();
    assert!(last > newer, "{last:?} is not above {newer:?}");
    talk(&mut a, &mut b);
    for node in [&a, &b] {
        assert_eq!(node.version_of(b"k"), Some(last));
    }
}

/// A superseded tombstone is removed when the newer record arrives. If a flush on this node came
/// first, that record was refused on arrival, and the tombstone stayed until the next sync.
#[test]
fn a_flush_removes_a_superseded_tombstone() {
    let (mut a, mut b) = connected_pair();
    a.delete(b"k");
    let deletion = a.transmit(1000);
    b.now.wall_ms += 5;
    b.set(b"k", 10);
    a.now.wall_ms += 10;
    a.store.flush(&mut OpContext::at(a.now));
    b.received(&deletion).unwrap();
    talk(&mut a, &mut b);
    assert_eq!(a.link.counters().records_superseded, 1);
    assert_eq!(b.link.counters().records_superseded, 1);
    a.store.expire(a.now, |_| {});
    b.store.expire(b.now, |_| {});
    for node in [&a, &b] {
        assert!(!node.has(b"k"));
        assert_eq!(node.store.memory().tombstones, 0);
    }
}

/// Regression: a flush, and the record that it must go before, took places that the window of
/// unacknowledged frames did not have, and the partner closed the link.
#[test]
fn a_flush_takes_no_place_that_the_partner_has_not() {
    let frames = 8;
    set_sizes(Sizes {
        in_flight_min: frames,
        in_flight_max: frames,
        ..Sizes::PRODUCTION
    });
    for before in 0..frames {
        let (mut a, mut b) = connected_pair();
        for key in 0..=frames as u64 {
            a.put(&key.to_be_bytes(), 5, NEVER);
            let slot = a.store.slot_of(&key.to_be_bytes());
            a.link.mark_dirty(&[slot]);
            if key >= before as u64 {
                a.store.flush(&mut OpContext::at(a.now));
            }
            a.now.boot_ms += 1;
            let output = a.transmit(100);
            assert_eq!(
                b.received(&output),
                Ok(()),
                "{before} records, then flushes"
            );
        }
    }
}
