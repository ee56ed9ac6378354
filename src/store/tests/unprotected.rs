//! How many items the partner is not known to hold, and how old the oldest of them is.

use super::*;

const LIFE: u64 = 7;

/// The count at a time, which must be that of the items.
fn count_at(store: &Store, ms: u64) -> (u64, u64) {
    store.audit(after(START, ms));
    let counted = store.unprotected_items(after(START, ms));
    (counted.items, counted.oldest_age_ms)
}

fn items(store: &Store) -> u64 {
    count_at(store, 0).0
}

fn linked() -> (Store, OpContext) {
    let store = replicated(SMALL_BYTES);
    store.partner_linked(LIFE);
    (store, OpContext::at(START))
}

#[test]
fn what_clients_write_and_touch_counts_until_the_partner_holds_it() {
    let (store, mut context) = linked();
    let slot = store.slot_of(b"k");
    store.put(b"k", b"v", NEVER, &mut context);
    store.put(b"k", b"w", NEVER, &mut context);
    assert_eq!(items(&store), 1);
    let held = store.held(b"k").unwrap().version();
    store.confirm(slot, version(held.timestamp.get() - 1));
    assert_eq!(items(&store), 1, "that was another version");
    store.confirm(slot, held);
    assert_eq!(items(&store), 0);
    store.touch(b"k", START.boot_ms + 50, &mut context);
    assert_eq!(items(&store), 1);
    store.confirm(slot, held);
    assert_eq!(items(&store), 1, "the partner lacks the touch");
    let touched = store.held(b"k").unwrap().version();
    store.confirm(slot, touched);
    assert_eq!(items(&store), 0);
    store.touch(b"k", NEVER, &mut context);
    let newer = version(touched.timestamp.get() + 9);
    store.superseded(slot, store.held(b"k").unwrap().version(), newer);
    assert_eq!(items(&store), 0, "the partner holds something newer");
}

#[test]
fn what_leaves_the_table_does_not_count() {
    let (store, mut context) = linked();
    let deadline_ms = START.boot_ms + 10;
    for key in [b"deleted", b"evicted", b"flushed"] {
        store.put(key, b"v", NEVER, &mut context);
    }
    store.put(b"expired", b"v", deadline_ms, &mut context);
    assert_eq!(items(&store), 4);
    store.remove(b"deleted", &mut context);
    assert_eq!(items(&store), 3);
    let later = after(START, 20);
    assert!(store.get_at(b"expired", later).is_err());
    assert_eq!(count_at(&store, 20).0, 2);
    store.flush(&mut OpContext::at(later));
    store.expire(later, |_| {});
    assert_eq!(count_at(&store, 20), (0, 0));
    let mut count = 0u64;
    while store.evicted() < 5 {
        store.put(&count.to_be_bytes(), &[1; 10_000], NEVER, &mut context);
        count += 1;
    }
    assert_eq!(items(&store), count - 5);
}

#[test]
fn what_the_partner_sends_counts_once_it_has_removed_it() {
    let (store, _) = linked();
    let newer = version(1 << 50);
    store.record(b"k", b"v", newer, Origin::Live);
    assert_eq!(items(&store), 0);
    assert_eq!(store.delete_record(b"k", newer), ApplyResult::Applied);
    assert_eq!(items(&store), 1, "its copy is expired or evicted");
    store.record(b"k", b"v", newer, Origin::Sync);
    assert_eq!(items(&store), 0);
    store.refused_there(store.slot_of(b"k"), newer);
    assert_eq!(items(&store), 1);
    let refused = store.refuse_record(b"k", newer, RefuseReason::TooLarge);
    assert_eq!((refused, items(&store)), (ApplyResult::Applied, 0));
    let newest = version((1 << 50) + 2);
    store.refused_there(store.slot_of(b"k"), newer);
    store.refuse_record(b"k", newest, RefuseReason::TooLarge);
    assert_eq!(items(&store), 0, "it is removed");
}

#[test]
fn with_another_process_of_the_partner_everything_counts() {
    let (store, mut context) = linked();
    for key in [b"a", b"b", b"c"] {
        store.put(key, b"v", NEVER, &mut context);
        let held = store.held(key).unwrap().version();
        store.confirm(store.slot_of(key), held);
    }
    store.remove(b"c", &mut context);
    assert_eq!(items(&store), 0);
    store.hybrid_clock().next(after(START, 5000));
    store.partner_linked(LIFE + 1);
    assert_eq!(count_at(&store, 5100), (2, 100));
    let held = store.held(b"a").unwrap().version();
    store.confirm(store.slot_of(b"a"), held);
    assert_eq!(count_at(&store, 5200), (1, 200));
}

#[test]
fn a_lift_changes_the_times_and_not_the_count() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    let until = Timestamp::at_wall_ms(START.wall_ms + 60_000);
    let mut lift = store.begin_lift(until, 0).unwrap();
    while !store.lift_step(&mut lift, 1000) {}
    assert_eq!(items(&store), 1);
}

#[test]
fn a_store_without_a_partner_counts_nothing() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    assert_eq!(count_at(&store, 500), (0, 0));
}

/// Two keys of one shard.
fn neighbours(store: &Store) -> [Vec<u8>; 2] {
    let shard_of = |key: &[u8]| hash::shard_of(store.slot_of(key), store.shard_bits);
    let first = b"hot".to_vec();
    let near = |key: &Vec<u8>| shard_of(key) == shard_of(&first);
    let keys = (0u64..).map(|key| key.to_be_bytes().to_vec());
    let second = keys.into_iter().find(near).unwrap();
    [first, second]
}

/// The age would be that of the first write, as long as a key is always written before the partner
/// has confirmed it, or one of two neighbours is.
#[test]
fn the_age_is_that_of_the_oldest_item_and_not_of_the_first_write() {
    let (store, mut context) = linked();
    let [hot, near] = neighbours(&store);
    for ms in (0..10_000).step_by(100) {
        context.now = after(START, ms);
        store.put(&hot, b"v", NEVER, &mut context);
        assert_eq!(count_at(&store, ms), (1, 0));
    }
    let mut most_ms = 0;
    for ms in (10_000..20_000).step_by(100) {
        context.now = after(START, ms);
        let (next, other) = if ms % 200 == 0 {
            (&hot, &near)
        } else {
            (&near, &hot)
        };
        store.put(next, b"v", NEVER, &mut context);
        if let Some(held) = store.held(other) {
            store.confirm(store.slot_of(other), held.version());
        }
        most_ms = most_ms.max(count_at(&store, ms + 50).1);
    }
    // An item is 150 ms old when it is confirmed, and its predecessor took as long.
    assert!((50..=250).contains(&most_ms), "{most_ms}");
    assert_eq!(count_at(&store, 30_000).1 / 1000, 10, "nobody confirms");
}
