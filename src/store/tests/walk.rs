//! Walks: an unchanged item is visited once, whatever happens to the others.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What happens to a key in the middle of a walk.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set,
    Remove,
    Read,
    Touch,
}

fn changes() -> impl Strategy<Value = Vec<(u32, Change)>> {
    let change = prop_oneof![
        Just(Change::Set),
        Just(Change::Remove),
        Just(Change::Read),
        Just(Change::Touch),
    ];
    proptest::collection::vec((0..2000u32, change), 0..40)
}

fn apply(store: &Store, key: u32, change: Change, now: Now) {
    let key = key.to_be_bytes();
    let mut context = OpContext::at(now);
    match change {
        Change::Set => _ = store.put(&key, b"new", NEVER, &mut context),
        Change::Remove => _ = store.remove(&key, &mut context),
        Change::Read => _ = store.get(&key, &mut context),
        Change::Touch => _ = store.touch(&key, NEVER, &mut context),
    }
}

/// Walks with changes after every step; returns how often each key was seen.
fn walked(store: &Store, steps: &[Vec<(u32, Change)>]) -> BTreeMap<Vec<u8>, u32> {
    let mut seen = BTreeMap::new();
    let mut walk = Walk::default();
    let mut steps = steps.iter();
    for step in 0.. {
        let mut shown = 0;
        let goes_on = store.walk_step(&mut walk, |item| {
            *seen.entry(item.key().to_vec()).or_default() += 1;
            shown += 1;
        });
        assert!(shown <= limits::WALK_STEP_ENTRIES);
        if !goes_on {
            return seen;
        }
        for &(key, change) in steps.next().into_iter().flatten() {
            apply(store, key, change, after(START, step));
        }
    }
    unreachable!("the walk ends before the steps are counted");
}

proptest! {
    #[test]
    fn unchanged_items_are_visited_once_and_no_item_twice(
        keys in proptest::collection::btree_set(0..2000u32, 0..600),
        changed in proptest::collection::vec(changes(), 0..300),
        is_replicated in any::<bool>(),
    ) {
        let store = if is_replicated { replicated } else { store }(64 * MEBIBYTE);
        for &key in &keys {
            apply(&store, key, Change::Set, START);
        }
        let seen = walked(&store, &changed);
        let touched: Vec<_> = changed.iter().flatten().map(|(key, _)| *key).collect();
        for key in 0..2000u32 {
            let times = seen.get(&key.to_be_bytes()[..]).copied().unwrap_or(0);
            if touched.contains(&key) {
                prop_assert!(times <= 1);
            } else {
                prop_assert_eq!(times, u32::from(keys.contains(&key)));
            }
        }
    }
}

#[test]
fn a_long_shard_takes_several_steps() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    let many = 256 * limits::WALK_STEP_ENTRIES as u32 * 2;
    for key in 0..many {
        store.put(&key.to_be_bytes(), b"v", NEVER, &mut context);
    }
    let seen = walked(&store, &[]);
    assert_eq!(seen.len(), many as usize);
    assert!(seen.values().all(|&times| times == 1));
}

#[test]
fn expired_and_flushed_items_are_visited_and_not_live() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"flushed", b"v", NEVER, &mut context);
    store.flush(&mut OpContext::at(START));
    store.put(b"deleted", b"v", NEVER, &mut context);
    store.remove(b"deleted", &mut context);
    let deadline_ms = START.boot_ms + 5;
    store.put(b"expired", b"v", deadline_ms, &mut context);
    store.put(b"live", b"v", NEVER, &mut context);
    let mut walk = Walk::default();
    let mut shown = Vec::new();
    let now = after(START, 5);
    while store.walk_step(&mut walk, |item| {
        shown.push((item.key().to_vec(), store.is_live(item, now)));
    }) {}
    shown.sort();
    let expected = [("expired", false), ("flushed", false), ("live", true)];
    let expected = expected.map(|(key, is_live)| (key.as_bytes().to_vec(), is_live));
    assert_eq!(shown, expected);
}
