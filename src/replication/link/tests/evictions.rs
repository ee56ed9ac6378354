//! What one node evicts, as the other counts it.

use super::*;

/// A `-m` that leaves 864 KiB for items.
const SMALL_BYTES: u64 = (1 << 20) + (224 << 10);

fn unprotected(node: &Side) -> u64 {
    node.store.unprotected_items(node.now).items
}

/// Keys that the node holds.
fn held(node: &Side, keys: u32) -> u64 {
    let keys = (0..keys).map(|key| format!("key{key}"));
    keys.filter(|key| node.has(key.as_bytes())).count() as u64
}

/// The smaller node of a pair has evicted items, and nobody knew that they were on one node only.
#[test]
fn what_the_partner_evicts_is_counted_and_not_sent_again() {
    let (mut a, mut b) = (side(0), side_of(1, SMALL_BYTES, 1 << 20));
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    for key in 0..300 {
        a.set(format!("key{key}").as_bytes(), 9000);
        talk(&mut a, &mut b);
    }
    let there = held(&b, 300);
    assert!((50..120).contains(&there), "{there}");
    assert_eq!(held(&a, 300), 300);
    assert_eq!(unprotected(&a), 300 - there);
    assert_eq!(unprotected(&b), 0);
    assert_eq!(a.link.counters().partner_evictions, 300 - there);
    assert_eq!(a.link.counters().records_sent, 300);
    assert_eq!(b.store.memory().tombstones, 0);
    // A sync finds the same out.
    a.link.disconnected(&a.store, a.now);
    b.link.disconnected(&b.store, b.now);
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    assert_eq!(unprotected(&a), 300 - held(&b, 300));
}

#[test]
fn a_notice_follows_the_ack_of_the_record_that_brought_the_item() {
    let (mut a, mut b) = (side(0), side_of(1, SMALL_BYTES, 1 << 20));
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    for key in 0..200 {
        a.set(format!("key{key}").as_bytes(), 9000);
    }
    // Everything arrives before the first ack leaves.
    b.received(&a.transmit(4 << 20)).unwrap();
    assert!(b.store.has_eviction_notices());
    let mut early = Vec::new();
    b.link.send_evictions(&b.store, &mut early, 1 << 20);
    assert!(early.is_empty(), "acks are still to be sent");
    let answers = b.transmit(4 << 20);
    let names = names(&answers);
    let notice = names.iter().position(|name| name.starts_with("Evicted"));
    let ack = names.iter().rposition(|name| name == "acks");
    assert!(ack.unwrap() < notice.unwrap(), "{names:?}");
    a.received(&answers).unwrap();
    assert_eq!(unprotected(&a), 200 - held(&b, 200));
}

/// Regression: an item that was evicted on both nodes left a tombstone on the second, which held
/// memory until the first had received it.
#[test]
fn an_item_that_is_gone_on_the_partner_leaves_no_tombstone_here() {
    let (mut a, mut b) = (
        side_of(0, SMALL_BYTES, 1 << 20),
        side_of(1, SMALL_BYTES, 1 << 20),
    );
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    for key in 0..400 {
        a.set(format!("key{key}").as_bytes(), 9000);
        a.now.boot_ms += 64;
        b.now.boot_ms += 64;
        talk(&mut a, &mut b);
    }
    for node in [&a, &b] {
        node.store.audit(node.now);
        assert_eq!(node.store.memory().tombstones, 0);
    }
    let only_a = (0..400).filter(|key| {
        let key = format!("key{key}");
        a.has(key.as_bytes()) && !b.has(key.as_bytes())
    });
    assert_eq!(unprotected(&a), only_a.count() as u64);
    assert_eq!(a.link.counters().records_sent, 400);
    assert_eq!(b.link.counters().records_sent, 0);
}

/// Regression: an item was evicted before its ack came, and left a tombstone of its version. The
/// ack of the item was taken for that of the tombstone, which was never sent: the partner took its
/// copy for one of two.
#[test]
fn an_item_that_is_evicted_before_its_ack_is_counted_by_the_partner() {
    let (mut a, mut b) = (side_of(0, SMALL_BYTES, 1 << 20), side(1));
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    a.set(b"k", 9000);
    b.received(&a.transmit(1 << 20)).unwrap();
    a.now.boot_ms += 5000;
    for key in 0..100 {
        a.set(format!("key{key}").as_bytes(), 9000);
    }
    assert!(!a.has(b"k") && a.store.memory().tombstones > 0);
    a.received(&b.transmit(1 << 20)).unwrap();
    talk(&mut a, &mut b);
    let item = b.store.entry(b.store.slot_of(b"k")).unwrap();
    assert!(!item.is_tombstone() && !b.store.is_protected(&item));
    // Of the others it has got those that are left, and the deletions of the rest.
    assert_eq!(unprotected(&b), 1);
    assert_eq!(a.store.memory().tombstones, 0);
}
