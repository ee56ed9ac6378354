//! What the verdicts on our records mean for our own table and clock.

use super::*;
use crate::store::Unreplicated;

/// Like `talk`, but stops before the partner's records leave: only its verdicts arrive.
fn verdicts_arrive(from: &mut Side, to: &mut Side) {
    let verdicts = from.transmit(1);
    assert_eq!(names(&verdicts), ["verdicts"]);
    to.received(&verdicts).unwrap();
}

/// A sender that took *no room* for a confirmation survived every test: it would evict its only
/// copy without telling anybody, and count a session as safe that the partner had refused.
#[test]
fn no_room_confirms_nothing() {
    let (mut a, mut b) = (side(0), side_of(1, 64 << 20, 1 << 20));
    a.set(b"in a pass", 2 << 20);
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    a.set(b"live", 2 << 20);
    a.set(b"small", 100);
    talk(&mut a, &mut b);
    assert_eq!(a.link.counters().records_no_room, 2);
    let item = |key: &[u8]| a.store.entry(a.store.slot_of(key)).unwrap();
    for key in [&b"in a pass"[..], b"live"] {
        let item = item(key);
        assert!(!item.is_confirmed() && !item.is_value_confirmed());
    }
    assert!(item(b"small").is_confirmed());
    assert_eq!(
        a.store.count_unreplicated(Unreplicated::Unconfirmed, a.now),
        2
    );
}

/// The verdict overtakes the newer record itself. A write between the two, on the node whose clock
/// is behind, got a lower timestamp than the record that the node had been told of: it was
/// acknowledged and lost on both nodes.
#[test]
fn a_write_after_a_superseded_verdict_wins() {
    let (mut a, mut b) = connected_pair();
    b.now.wall_ms += 10_000;
    b.set(b"k", 10);
    let newer = b.version_of(b"k").unwrap();
    a.set(b"k", 20);
    b.received(&a.transmit(1000)).unwrap();
    verdicts_arrive(&mut b, &mut a);
    assert_eq!(a.link.counters().records_superseded, 1);
    a.set(b"k", 30);
    let last = a.version_of(b"k").unwrap();
    assert!(last > newer, "{last:?} is not above {newer:?}");
    talk(&mut a, &mut b);
    for node in [&a, &b] {
        assert_eq!(node.version_of(b"k"), Some(last));
    }
}

/// A tombstone waits for the newer record that superseded it. If a flush here killed that record
/// first, it was refused on its arrival, and the tombstone stayed until the next pass.
#[test]
fn a_tombstone_whose_successor_was_flushed_goes_with_the_flush() {
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
