//! What a sync brings, and what both nodes know after it.

use super::*;
use crate::store::{Evicted, KeyHasher, bucket_of};

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|it| *it == kind).count()
}

#[test]
fn equal_tables_are_compared_and_nothing_is_listed_or_sent() {
    let (mut a, mut b) = connected_pair();
    (0..2000).for_each(|n| a.set(format!("key{n}").as_bytes(), 100));
    talk(&mut a, &mut b);
    cut(&mut a, &mut b);
    for side in [&a, &b] {
        assert_eq!(side.link.counters().sync_progress_percent, 0);
    }
    let before = [&a, &b].map(|side| side.link.counters().records_sent);
    for sent in reconnect(&mut a, &mut b) {
        assert_eq!(count(&sent, "Digests"), 1, "a sparse table fits one frame");
        // The empty list says that nothing differs.
        assert_eq!((count(&sent, "List"), count(&sent, "ListDone")), (1, 1));
        assert_eq!(count(&sent, "SyncEnd"), 1);
    }
    let after = [&a, &b].map(|side| side.link.counters().records_sent);
    assert_eq!(before, after);
    assert_synced(&a, &b);
}

#[test]
fn what_changed_on_both_sides_of_a_cut_moves_both_ways_and_nothing_else() {
    let (mut a, mut b) = connected_pair();
    (0..2000).for_each(|n| a.set(format!("key{n}").as_bytes(), 100));
    talk(&mut a, &mut b);
    cut(&mut a, &mut b);
    for side in [&mut a, &mut b] {
        side.now.wall_ms += 1000;
    }
    a.set(b"key1", 300_000);
    a.set(b"of a", 5);
    b.touch(b"key2", 60_000);
    b.delete(b"key3");
    b.set(b"key4", 5);
    a.now.wall_ms += 1000;
    a.set(b"key4", 6);
    let before = [&a, &b].map(|side| side.link.counters().records_sent);
    reconnect(&mut a, &mut b);
    let after = [&a, &b].map(|side| side.link.counters().records_sent);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [3, 2]);
    assert_synced(&a, &b);
    assert!(!a.has(b"key3") && b.has(b"of a"));
    let value = b.store.entry(b.store.slot_of(b"key4")).unwrap();
    assert_eq!(value.value().len(), 6);
}

/// The survivor needs nothing of a node that has just started: it knows so from its first frame.
#[test]
fn a_node_that_restarted_empty_gets_everything_and_its_partner_lists_nothing() {
    let (mut a, mut b) = (side(0), side(1));
    (0..2000).for_each(|n| a.set(format!("key{n}").as_bytes(), 100));
    connect(&mut a, &mut b);
    let mut digests_came = false;
    while !digests_came {
        let to_b = a.transmit(1);
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1);
        a.received(&to_a).unwrap();
        digests_came = kinds(&to_a).contains(&"Digests".to_owned());
    }
    assert_eq!(a.link.counters().sync_progress_percent, 100);
    assert!(b.link.counters().sync_progress_percent < 100);
    let [of_a, of_b] = settle(&mut a, &mut b);
    assert_eq!(count(&of_a, "List"), 1, "the empty one");
    assert!(count(&of_b, "List") > 0);
    assert_synced(&a, &b);
    assert!(b.has(b"key0") && b.has(b"key1999"));
}

/// As clients read a node's items while it restarts, its partner's hottest items must not be the
/// first to be evicted there.
#[test]
fn the_items_of_a_shard_come_hottest_first() {
    let (mut a, mut b) = (side(0), side(1));
    (0..3000).for_each(|n| a.set(format!("key{n}").as_bytes(), 10));
    reconnect(&mut a, &mut b);
    let order = |side: &Side, shard| {
        let mut slots = Vec::new();
        side.store.slots_of(shard, &mut slots);
        slots
    };
    for shard in 0..a.store.shard_count() {
        assert_eq!(order(&a, shard), order(&b, shard), "shard {shard}");
    }
}

/// A client got no ack when the link was cut, but the partner has its write.
#[test]
fn an_item_whose_ack_was_lost_is_confirmed_by_the_comparison() {
    for has_other in [false, true] {
        let (mut a, mut b) = connected_pair();
        a.set(b"key", 10);
        let record = a.transmit(1000);
        b.received(&record).unwrap();
        cut(&mut a, &mut b);
        // With another key in its bucket it is listed.
        if has_other {
            let other = other_in_bucket(&a, b"key");
            b.set(&other, 10);
        }
        let item = a.store.entry(a.store.slot_of(b"key")).unwrap();
        assert!(!item.is_confirmed());
        let sent = a.link.counters().records_sent;
        reconnect(&mut a, &mut b);
        assert!(item.is_confirmed(), "{has_other}");
        assert_eq!(a.link.counters().records_sent, sent, "{has_other}");
        assert_synced(&a, &b);
    }
}

/// That a bucket was equal is noted in its items a little later, when some may be newer.
#[test]
fn what_is_written_after_the_comparison_is_not_confirmed_by_it() {
    let (mut a, mut b) = connected_pair();
    let other = other_in_bucket(&a, b"key");
    a.set(b"key", 10);
    a.set(&other, 10);
    let records = a.transmit(1000);
    b.received(&records).unwrap();
    cut(&mut a, &mut b);
    connect(&mut a, &mut b);
    while !kinds(&exchange(&mut a, &mut b, 1 << 20).0).contains(&"Digests".to_owned()) {}
    a.put(&other, 20, NEVER);
    settle(&mut a, &mut b);
    assert!(a.entry(b"key").unwrap().is_confirmed());
    assert!(!a.entry(&other).unwrap().is_confirmed());
}

/// The sums were equal, and the partner has evicted the item before it said so. What it said of
/// the item itself counts.
#[test]
fn what_the_partner_has_evicted_meanwhile_is_not_confirmed_by_the_comparison() {
    let (mut a, mut b) = connected_pair();
    a.set(b"key", 10);
    let record = a.transmit(1000);
    b.received(&record).unwrap();
    cut(&mut a, &mut b);
    connect(&mut a, &mut b);
    while !kinds(&exchange(&mut a, &mut b, 1 << 20).0).contains(&"Digests".to_owned()) {}
    let item = a.entry(b"key").unwrap();
    let evicted = Evicted {
        slot: a.store.slot_of(b"key"),
        timestamp: item.timestamp(),
    };
    let mut notice = Vec::new();
    Frame::encode_evictions(&mut notice, &[evicted]);
    a.received(&notice).unwrap();
    settle(&mut a, &mut b);
    assert!(!item.is_confirmed());
}

/// Another key in the bucket of this one.
fn other_in_bucket(side: &Side, key: &[u8]) -> Vec<u8> {
    let bucket = |key: &[u8]| bucket_of(side.store.slot_of(key));
    let mut names = (0..).map(|n| format!("key{n}").into_bytes());
    names.find(|name| bucket(name) == bucket(key)).unwrap()
}

/// Only the buckets of dropped changes are compared again, and the partner knows which they are
/// before anything else comes: until the sync ends it may hold old states there.
#[test]
fn an_overflow_tells_its_buckets_and_brings_what_was_dropped() {
    let (mut a, mut b) = connected_pair();
    for key in [&b"changed"[..], b"deleted", b"other"] {
        a.set(key, 10);
    }
    talk(&mut a, &mut b);
    a.put(b"changed", 20, NEVER);
    let mut context = OpContext::at(a.now);
    a.store
        .update(b"deleted", &mut context, |_| (Action::Remove, ()));
    let slots = [b"changed", b"deleted"].map(|key| a.store.slot_of(key));
    a.link.overflowed(&slots);
    a.set(b"later", 10);
    let told = a.transmit(1);
    assert_eq!(kinds(&told)[0], "Unsynced");
    b.received(&told).unwrap();
    let unknown = b.link.session.sync.receiver.unknown();
    assert_eq!(unknown.len(), 2);
    assert!(
        slots
            .iter()
            .all(|&slot| unknown.contains(usize::from(bucket_of(slot))))
    );
    assert_eq!(b.link.counters().sync_progress_percent, 99);
    let [of_a, of_b] = settle(&mut a, &mut b);
    assert_eq!((count(&of_a, "Unsynced"), count(&of_b, "Digests")), (0, 0));
    assert_synced(&a, &b);
    assert!(!b.has(b"deleted") && b.has(b"later"));
    let item = b.store.entry(b.store.slot_of(b"changed")).unwrap();
    assert_eq!(item.value().len(), 20);
}

/// With a slow partner changes are dropped again and again. Each time the line would carry 8 KiB
/// that say the same, and what clients wait for would wait behind them.
#[test]
fn a_bucket_of_dropped_changes_is_told_once_until_it_is_compared() {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"key", 10);
    connect(&mut a, &mut b);
    let slot = a.store.slot_of(b"key");
    let mut told = |a: &mut Side, slot| {
        a.link.overflowed(&[slot]);
        let to_b = a.transmit(100_000);
        let sent = count(&kinds(&to_b), "Unsynced");
        b.received(&to_b).unwrap();
        let to_a = b.transmit(0);
        a.received(&to_a).unwrap();
        sent
    };
    while !a.link.is_up() {
        assert_eq!(told(&mut a, slot), 0);
    }
    // The sums follow in the same output, and what was told before them may be known again.
    assert_eq!(told(&mut a, slot), 1);
    assert_eq!(told(&mut a, slot), 1);
    for _ in 0..5 {
        assert_eq!(told(&mut a, slot), 0);
    }
    let other = slot ^ 1 << 40;
    assert_eq!(told(&mut a, other), 1);
    assert_eq!(told(&mut a, slot), 0);
    settle(&mut a, &mut b);
    a.put(b"key", 20, NEVER);
    a.link.overflowed(&[slot]);
    let sent = settle(&mut a, &mut b);
    assert_eq!(count(&sent[0], "Unsynced"), 1);
    assert_synced(&a, &b);
}

/// The answer to a list says nothing of a change that was dropped after the list was answered.
#[test]
fn a_bucket_stays_unknown_if_a_change_is_dropped_while_it_is_listed() {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"key", 10);
    connect(&mut a, &mut b);
    let mut to_b = Vec::new();
    while !kinds(&to_b).contains(&"key".to_owned()) {
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1);
        a.received(&to_a).unwrap();
        to_b = a.transmit(1);
    }
    // Its record is on the way, and the mark of its list is not.
    assert!(!kinds(&to_b).contains(&"ListDone".to_owned()));
    b.received(&to_b).unwrap();
    a.put(b"key", 20, NEVER);
    let slot = a.store.slot_of(b"key");
    a.link.overflowed(&[slot]);
    let to_b = a.transmit(100_000);
    let sent = kinds(&to_b);
    assert!(count(&sent, "ListDone") == 1 && count(&sent, "SyncEnd") == 1);
    b.received(&to_b).unwrap();
    assert!(b.events().contains(&LinkEvent::PartnerSyncDone));
    let unknown = b.link.session.sync.receiver.unknown();
    assert!(unknown.contains(usize::from(bucket_of(slot))) && unknown.len() == 1);
    settle(&mut a, &mut b);
    assert_synced(&a, &b);
}

/// While the pair's key is changed, the nodes hash keys with different secrets: neither sums nor
/// hashes can be compared.
#[test]
fn nodes_with_different_hashes_copy_their_tables() {
    let mut a = side(0);
    let mut b = side_of_other_hashes();
    a.set(b"both", 10);
    b.now.wall_ms += 1;
    b.set(b"both", 20);
    a.set(b"of a", 10);
    b.delete(b"of a");
    b.set(b"of b", 10);
    connect(&mut a, &mut b);
    while !b.events().contains(&LinkEvent::PartnerSyncDone) {
        assert_eq!(b.link.counters().sync_progress_percent, 0);
        let to_b = a.transmit(1);
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1);
        a.received(&to_a).unwrap();
    }
    settle(&mut a, &mut b);
    let lengths = |side: &Side| {
        [b"both", b"of a", b"of b"].map(|key| {
            let item = side.store.entry(side.store.slot_of(key));
            item.map(|item| item.value().len())
        })
    };
    assert_eq!(lengths(&a), [Some(20), None, Some(10)]);
    assert_eq!(lengths(&b), lengths(&a));
    a.link.overflowed(&[5]);
    let told = a.transmit(1);
    b.received(&told).unwrap();
    assert_eq!(b.link.counters().sync_progress_percent, 0);
    settle(&mut a, &mut b);
    for side in [&a, &b] {
        assert!(side.link.is_drained());
        assert_eq!(side.link.counters().sync_progress_percent, 100);
    }
}

/// A node whose keys hash as `hasher` says.
fn side_hashing(number: u8, hasher: KeyHasher) -> Side {
    let config = StoreConfig {
        side: number,
        replicated: true,
        ..StoreConfig::of_a_test()
    };
    Side {
        store: Store::with_hasher(&config, hasher),
        ..side(number)
    }
}

#[test]
fn a_bucket_that_needs_several_lists_is_synced() {
    let one_bucket = |number| side_hashing(number, KeyHasher::of_one_bucket());
    let (mut a, mut b) = (one_bucket(0), one_bucket(1));
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    (0..9000).for_each(|n| a.set(format!("key{n}").as_bytes(), 1));
    talk(&mut a, &mut b);
    cut(&mut a, &mut b);
    for side in [&mut a, &mut b] {
        side.now.wall_ms += 1000;
    }
    for n in (0..9000).step_by(100) {
        a.set(format!("key{n}").as_bytes(), 2);
        b.set(format!("key{}", n + 1).as_bytes(), 2);
        a.delete(format!("key{}", n + 2).as_bytes());
    }
    let before = [&a, &b].map(|side| side.link.counters().records_sent);
    let [of_a, of_b] = reconnect(&mut a, &mut b);
    assert!(count(&of_a, "List") >= 3 && count(&of_b, "List") >= 3);
    let after = [&a, &b].map(|side| side.link.counters().records_sent);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [180, 90]);
    assert_synced(&a, &b);
}

#[test]
fn keys_of_one_hash_are_synced_whichever_came_first() {
    let colliding = |number| side_hashing(number, KeyHasher::colliding());
    let (mut a, mut b) = (colliding(0), colliding(1));
    a.set(b"one", 1);
    a.set(b"two", 2);
    b.set(b"two", 3);
    b.set(b"three", 4);
    b.delete(b"one");
    b.now.wall_ms += 1;
    b.set(b"four", 5);
    reconnect(&mut a, &mut b);
    assert_synced(&a, &b);
    assert_eq!(a.store.memory().live_items, b.store.memory().live_items);
    assert!(a.store.memory().live_items >= 3);
}
