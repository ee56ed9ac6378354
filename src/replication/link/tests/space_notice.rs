//! A node without memory for its partner's table.

use super::*;

/// A `-m` that leaves 864 KiB for items.
const SMALL_BYTES: u64 = (1 << 20) + (224 << 10);

/// Lets `seconds` pass on an idle link.
fn pass_time(a: &mut Side, b: &mut Side, seconds: u64) {
    for _ in 0..seconds * 10 {
        for side in [&mut *a, &mut *b] {
            side.now.boot_ms += 100;
        }
        talk(a, b);
    }
}

/// Fills memory up to `free_bytes`; returns how many keys that took.
fn fill(side: &mut Side, free_bytes: u64) -> u32 {
    let mut count = 0;
    while side.store.memory().used_bytes + 10_000 + free_bytes < side.store.memory().budget_bytes {
        side.set(format!("own{count}").as_bytes(), 9000);
        count += 1;
    }
    count
}

/// Every refusal was followed by a report of room, and that by a sync with the same refusal:
/// an idle pair sent its whole table once a second, 37 to 113 MB a second, for ever.
#[test]
fn a_value_over_the_partners_limit_causes_no_further_sync() {
    let (mut a, mut b) = (side(0), side_of(1, 64 << 20, 1 << 20));
    a.set(b"large", 2 << 20);
    a.set(b"small", 100);
    meet(&mut a, &mut b);
    pass_time(&mut a, &mut b, 200);
    a.set(b"larger", 3 << 20);
    pass_time(&mut a, &mut b, 200);
    assert!(b.has(b"small") && !b.has(b"large"));
    assert_eq!(a.link.counters().records_no_room, 2);
    assert_eq!(a.link.counters().pass_sent, 1);
}

/// As above with a value that does not fit the memory although 5 % are free all the time.
#[test]
fn free_space_is_reported_once_a_refused_record_fits() {
    let (mut a, mut b) = (side(0), side_of(1, SMALL_BYTES, 1 << 20));
    a.set(b"large", 300_000);
    let count = fill(&mut b, 200_000);
    meet(&mut a, &mut b);
    pass_time(&mut a, &mut b, 200);
    assert!(a.has(b"own0") && !b.has(b"large"));
    assert_eq!(a.link.counters().pass_sent, 1);
    for key in 0..count / 2 {
        b.delete(format!("own{key}").as_bytes());
    }
    pass_time(&mut a, &mut b, 200);
    assert!(b.has(b"large"));
    assert_eq!(a.link.counters().pass_sent, 2);
    assert_eq!(a.link.counters().records_no_room, 1);
}

/// It came before the ack of the refused record, whose sender did nothing with it, and no other
/// followed: the record was never offered again.
#[test]
fn free_space_is_not_reported_before_the_refusal() {
    let (mut a, mut b) = (side(0), side_of(1, SMALL_BYTES, 1 << 20));
    meet(&mut a, &mut b);
    let count = fill(&mut b, 200_000);
    talk(&mut a, &mut b);
    a.set(b"large", 300_000);
    while !a.transmit(0).is_empty() {}
    let mut record = a.transmit(1 << 20);
    while !record.is_empty() {
        b.received(&record).unwrap();
        record = a.transmit(1 << 20);
    }
    for key in 0..count / 2 {
        b.delete(format!("own{key}").as_bytes());
    }
    b.now.boot_ms += 500;
    let without_room = b.transmit(0);
    assert!(!kinds(&without_room).contains(&"SpaceAvailable".to_owned()));
    a.received(&without_room).unwrap();
    pass_time(&mut a, &mut b, 20);
    assert!(b.has(b"large"));
}

/// A smaller node evicted items that were touched while the link was down, and when it was up again
/// the tombstones of the touches removed the partner's copies: 4,544 of 5,000 sessions were gone.
#[test]
fn an_item_evicted_after_a_touch_stays_on_the_partner() {
    let (mut a, mut b) = (side_of(0, SMALL_BYTES, 1 << 20), side(1));
    meet(&mut a, &mut b);
    for key in [&b"longer"[..], b"shorter"] {
        a.set(key, 100);
        a.touch(key, 60_000);
    }
    talk(&mut a, &mut b);
    a.link.disconnected(&a.store, a.now);
    b.link.disconnected(&b.store, b.now);
    a.touch(b"longer", 90_000);
    a.touch(b"shorter", 30_000);
    let now_ms = a.now.boot_ms;
    a.now.boot_ms += 5000;
    for n in 0..200 {
        a.set(format!("new{n}").as_bytes(), 9000);
    }
    assert!(!a.has(b"longer") && !a.has(b"shorter"));
    meet(&mut a, &mut b);
    assert!(!a.has(b"shorter") && !b.has(b"shorter"));
    let left = b.entry(b"longer").unwrap();
    assert!(!left.is_tombstone());
    // The other clock is known to a millisecond.
    assert_eq!(left.deadline_ms(), now_ms + 60_000 + 1);
    assert_eq!(a.store.memory().tombstones, 0);
}

/// The value of a sync was charged when its first chunk came. Until its last one was refused,
/// the clients of a node that was nearly full evicted what its partner had not got yet, on both
/// nodes.
#[test]
fn a_sync_makes_clients_evict_nothing() {
    let (mut a, mut b) = (side(0), side_of(1, SMALL_BYTES, 1 << 20));
    for key in [b"large0", b"large1", b"large2"] {
        a.set(key, 300_000);
    }
    let count = fill(&mut b, 50_000);
    connect(&mut a, &mut b);
    for round in 0..1000u32 {
        exchange(&mut a, &mut b, 30_000);
        b.set(&(round % 8).to_be_bytes(), 1);
    }
    assert_eq!(a.link.counters().records_no_room, 3);
    for key in 0..count {
        let key = format!("own{key}");
        assert!(a.has(key.as_bytes()) && b.has(key.as_bytes()), "{key}");
    }
}
