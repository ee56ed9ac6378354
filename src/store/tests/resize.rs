//! Changing the memory limit while the store is in use.

use super::*;

fn filled(config: &StoreConfig, items: u64) -> Store {
    let store = Store::new(config);
    for index in 0..items {
        let mut context = OpContext::at(after(START, index));
        store.put(&index.to_be_bytes(), &[1; 1000], NEVER, &mut context);
    }
    store
}

#[test]
fn less_memory_is_reached_in_steps_that_cost_writers_little() {
    let store = filled(&config(64 * MEBIBYTE), 45_000);
    let now = after(START, 50_000);
    let items = store.memory().live_items;
    assert_eq!(items, 45_000);
    store.set_limit_bytes(8 * MEBIBYTE);
    assert_eq!(store.limit_bytes(), 8 * MEBIBYTE);
    // A writer evicts only for its own item.
    store.put(b"new", &[1; 1000], NEVER, &mut OpContext::at(now));
    assert!(store.memory().live_items >= items);
    // One round of housekeeping evicts a bounded number of bytes, which is all of them here.
    let mut batches = 0;
    store.shrink(now, |_| batches += 1);
    let memory = store.memory();
    assert!(memory.used_bytes <= memory.budget_bytes, "{memory:?}");
    assert_eq!(memory.budget_bytes, 8 * MEBIBYTE - store.kept_bytes());
    assert!(memory.used_bytes > 7 * MEBIBYTE, "{memory:?}");
    assert!(batches > 30, "{batches} steps");
    assert!(store.get_at(b"new", now).is_ok());
    // The coldest items were evicted.
    let oldest = 0u64.to_be_bytes();
    assert_eq!(store.get_at(&oldest, now), Err(Miss::Absent));
    store.audit(now);
    store.shrink(now, |_| panic!("it was done"));
}

#[test]
fn one_round_evicts_a_bounded_number_of_bytes() {
    let store = filled(&config(256 * MEBIBYTE), 180_000);
    let before = store.memory();
    store.set_limit_bytes(8 * MEBIBYTE);
    store.shrink(after(START, 200_000), |_| {});
    let after = store.memory();
    let gone_bytes = before.used_bytes - after.used_bytes;
    let bound = u64::from(limits::SHRINK_STEPS) * limits::SHRINK_STEP_BYTES;
    let expected_bytes = bound / 2 + 1..bound + MEBIBYTE;
    assert!(expected_bytes.contains(&gone_bytes), "{gone_bytes}");
}

#[test]
fn more_memory_is_available_at_once_even_while_shrinking() {
    let store = filled(&config(64 * MEBIBYTE), 45_000);
    store.set_limit_bytes(8 * MEBIBYTE);
    store.set_limit_bytes(128 * MEBIBYTE);
    store.shrink(after(START, 50_000), |_| panic!("there is room"));
    let memory = store.memory();
    assert_eq!(memory.budget_bytes, 128 * MEBIBYTE - store.kept_bytes());
    assert_eq!(memory.live_items, 45_000);
}

#[test]
fn without_evictions_a_lower_limit_refuses_writes_and_removes_nothing() {
    let without = StoreConfig {
        evicting: false,
        ..config(64 * MEBIBYTE)
    };
    let store = filled(&without, 20_000);
    store.set_limit_bytes(8 * MEBIBYTE);
    store.shrink(after(START, 50_000), |_| panic!("nothing may go"));
    assert!(store.pending_item(b"new", &until(NEVER), 1000).is_err());
    assert_eq!(store.memory().live_items, 20_000);
}

/// The partner has not confirmed the evicted items, so each leaves a tombstone.
#[test]
fn evicting_unconfirmed_items_while_shrinking_leaves_tombstones() {
    let pair = StoreConfig {
        replicated: true,
        ..config(16 * MEBIBYTE)
    };
    let store = filled(&pair, 9_000);
    store.set_limit_bytes(8 * MEBIBYTE);
    let mut batches = 0;
    store.shrink(after(START, 50_000), |_| batches += 1);
    let memory = store.memory();
    assert!(batches > 0 && memory.live_items < 9_000, "{memory:?}");
    assert!(memory.tombstones > 0, "{memory:?}");
}
