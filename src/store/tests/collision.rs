//! Keys that all have one hash: no operation on one may affect another's entry.

use super::*;

fn colliding(config: &StoreConfig) -> Store {
    Store::with_hasher(config, KeyHasher::colliding())
}

fn key(index: u8) -> [u8; 2] {
    [b'k', index]
}

#[test]
fn eight_live_keys_with_one_hash_keep_their_values() {
    let (store, mut context) = begun(colliding(&config(64 * MEBIBYTE)));
    for index in 0..8 {
        store.put(&key(index), &[index; 100], NEVER, &mut context);
    }
    // Whichever is removed, the others are still found, and its slot serves another key.
    assert!(store.remove(&key(0), &mut context));
    assert!(store.remove(&key(5), &mut context));
    store.put(&key(20), b"new", NEVER, &mut context);
    for index in [1, 2, 3, 4, 6, 7] {
        assert_eq!(store.get(&key(index), &mut context).unwrap(), [index; 100]);
    }
    assert_eq!(store.get(&key(20), &mut context).unwrap(), b"new");
    assert_eq!(store.get(&key(0), &mut context), Err(Miss::Absent));
    store.audit(START);
}

#[test]
fn keys_with_one_hash_expire_independently() {
    let (store, mut context) = begun(colliding(&config(64 * MEBIBYTE)));
    for index in 0..8 {
        let deadline_ms = START.boot_ms + 1000 * u64::from(index) + 1000;
        store.put(&key(index), b"value", deadline_ms, &mut context);
    }
    let later = after(START, 4500);
    let mut context = OpContext::at(later);
    for index in 0..8 {
        let is_live = store.get(&key(index), &mut context).is_ok();
        assert_eq!(is_live, index >= 4, "{index}");
    }
    store.audit(later);
    let end = after(START, 60_000);
    store.expire(end, |_| {});
    assert_eq!(store.memory().live_items, 0);
    store.audit(end);
}

#[test]
fn keys_with_one_hash_are_evicted_coldest_first() {
    let store = colliding(&config(SMALL_BYTES));
    let value = vec![1; 200 << 10];
    for index in 0..6 {
        let now = after(START, 1000 * u64::from(index));
        store.put(&key(index), &value, NEVER, &mut OpContext::at(now));
        store.audit(now);
    }
    let end = after(START, 10_000);
    let kept: Vec<_> = (0..6)
        .filter(|&index| store.get_at(&key(index), end).is_ok())
        .collect();
    assert_eq!(kept, [2, 3, 4, 5]);
}

#[test]
fn a_ninth_key_replaces_one_and_the_eviction_is_counted() {
    let store = colliding(&StoreConfig {
        replicated: true,
        ..config(64 * MEBIBYTE)
    });
    let mut context = OpContext::at(START);
    for index in 0..9 {
        store.put(&key(index), &[index], NEVER, &mut context);
        store.audit(START);
    }
    assert_eq!(store.evicted(), 1);
    assert_eq!(store.memory().live_items, 8);
    assert_eq!(store.get(&key(8), &mut context).unwrap(), [8]);
    // A deletion that finds no slot removes no live key.
    assert!(!store.remove(b"absent", &mut context));
    assert_eq!(store.memory().live_items, 8);
    assert_eq!(store.counters().tombstones_dropped.load(RELAXED), 1);
    // A tombstone is replaced before a live item is.
    assert!(store.remove(&key(3), &mut context));
    store.put(b"tenth", b"10", NEVER, &mut context);
    assert_eq!(store.memory().live_items, 8);
    assert_eq!(store.memory().tombstones, 0);
    assert_eq!(store.evicted(), 1);
    store.audit(START);
}
