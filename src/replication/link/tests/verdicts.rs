//! What the verdicts on our records mean for our own table and clock.

use super::*;

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
    a.store.flush(&mut Batch::at(a.now));
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
