//! Eviction: the memory budget is kept, and cold items are evicted first.

use super::*;

fn key(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

fn assert_within_budget(store: &Store) {
    let memory = store.memory();
    assert!(memory.used_bytes <= memory.budget_bytes, "{memory:?}");
}

#[test]
fn the_budget_holds_after_every_write_of_any_size() {
    let (store, mut context) = begun(store(2 * MEBIBYTE));
    for index in 0..3000u64 {
        context.now = after(START, index);
        let len = (index.wrapping_mul(0x9e37_79b9) >> 7) % 40_000;
        let len = if index % 97 == 0 { 700_000 } else { len };
        let value = vec![1; len as usize];
        store.put(&key(index), &value, NEVER, &mut context);
        assert_within_budget(&store);
        assert_eq!(store.get(&key(index), &mut context), Ok(value));
    }
    store.audit(context.now);
}

/// How many of how many hot keys a scan of cold ones leaves.
fn hot_keys_left(limit_bytes: u64, value_len: usize, hot: u64, scanned: u64) -> usize {
    let store = store(limit_bytes);
    let value = vec![1; value_len];
    for index in 0..hot {
        store.put(&key(index), &value, NEVER, &mut OpContext::at(START));
    }
    let mut now = START;
    for cold in 0..scanned {
        now = after(now, 20);
        store.put(&key(1 << 40 | cold), &value, NEVER, &mut OpContext::at(now));
        let read = cold % hot;
        let _ = store.get_at(&key(read), now);
    }
    store.audit(now);
    (0..hot)
        .filter(|&index| store.held(&key(index)).is_some())
        .count()
}

#[test]
fn hot_keys_survive_a_scan() {
    // About 7,000 items fit; the hot ones are read every 10 seconds.
    assert_eq!(hot_keys_left(8 * MEBIBYTE, 1000, 500, 40_000), 500);
}

/// Regression: with fewer items than shards, a sample of four shards compared about one item, so a
/// cache of few large items evicted almost at random.
#[test]
fn hot_keys_survive_a_scan_of_large_items_too() {
    // About 60 items fit into 256 shards; the hot ones are read every 400 ms.
    assert_eq!(hot_keys_left(64 * MEBIBYTE, 1_000_000, 20, 400), 20);
}

/// Regression: a tail that another thread had touched a tick after this turn began counted as four
/// years old, so the hottest shard was taken for the coldest.
#[test]
fn a_turn_that_began_earlier_evicts_the_coldest_item() {
    let store = Store::with_hasher(&config(SMALL_BYTES), KeyHasher::new(&[1; 16]));
    let value = vec![1; 160_000];
    store.put(b"cold", &value, NEVER, &mut OpContext::at(START));
    let turn = after(START, 10_000);
    for index in 0..4 {
        let later = &mut OpContext::at(after(turn, 1000));
        store.put(&key(index), &value, NEVER, later);
    }
    store.put(b"late", &value, NEVER, &mut OpContext::at(turn));
    assert!(store.held(b"cold").is_none());
    assert_eq!(store.memory().live_items, 5);
}

#[test]
fn tombstones_outlive_colder_items() {
    let (store, mut context) = begun(replicated(SMALL_BYTES));
    for index in 0..100 {
        store.remove(&key(index), &mut context);
    }
    for index in 1000..5000u64 {
        let now = after(START, index);
        store.put(&key(index), &[1; 1000], NEVER, &mut OpContext::at(now));
        // It is confirmed, so its eviction leaves no tombstone.
        store.confirm_held(&key(index));
        assert_within_budget(&store);
    }
    assert_eq!(store.memory().tombstones, 100);
    assert!(store.evicted() > 3000);
    assert_eq!(store.counters().tombstones_dropped.load(RELAXED), 0);
    store.audit(after(START, 5000));
}

/// A store that holds as many tombstones as it may, and is then filled with items by `set`.
fn fill_past_tombstones(limit_bytes: u64, mut set: impl FnMut(&Store, &mut dyn FnMut())) {
    let (store, mut context) = begun(replicated(limit_bytes));
    for index in 0..limit_bytes / limits::TOMBSTONE_SHARE / 250 {
        store.remove(&key(index), &mut context);
        context.dirty.clear();
    }
    assert!(store.memory().tombstones > 1000);
    for index in 0..limit_bytes / 900 {
        context.now = after(START, index / 16);
        let key = key(1 << 40 | index);
        set(&store, &mut || {
            store.put(&key, &[1; 1000], NEVER, &mut context);
        });
        context.dirty.clear();
        assert_within_budget(&store);
    }
    assert!(store.evicted() > 100);
    store.audit(context.now);
}

/// Regression: tombstones were in the LRU list and filled the cold ends of all shards. An eviction
/// skipped a few of them in each shard, and then tried all shards: sets took 20 ms at `-m 1024`.
#[test]
fn evictions_try_no_more_shards_when_there_are_tombstones() {
    for limit_bytes in [4 * MEBIBYTE, 32 * MEBIBYTE] {
        let mut worst = 0;
        fill_past_tombstones(limit_bytes, |store, put| {
            let tried = || store.shared.evictions_tried_in_shards.load(RELAXED);
            let evicted = || store.evicted();
            let before = (tried(), evicted());
            put();
            let needed = evicted() - before.1;
            worst = worst.max(tried() - before.0 - needed);
        });
        assert_eq!(worst, 0, "shards tried in vain at {limit_bytes}");
    }
}

#[test]
fn evicting_unconfirmed_items_leaves_tombstones_within_the_budget() {
    let store = replicated(SMALL_BYTES);
    for index in 0..5000u64 {
        let mut context = OpContext::at(after(START, index));
        store.put(&key(index), &[1; 200], NEVER, &mut context);
        assert_within_budget(&store);
    }
    store.audit(after(START, 5000));
    assert!(store.memory().live_items > 1500);
}

#[test]
fn without_evictions_a_full_store_refuses_and_loses_nothing() {
    let (store, mut context) = begun(without_evictions(SMALL_BYTES));
    let mut stored = Vec::new();
    for index in 0..2000 {
        let put = store.put(&key(index), &[1; 1000], NEVER, &mut context);
        stored.extend(put.map(|_| index));
        assert_within_budget(&store);
    }
    assert!((500..1000).contains(&stored.len()), "{}", stored.len());
    for index in stored {
        assert!(store.get(&key(index), &mut context).is_ok());
    }
    assert_eq!(store.evicted(), 0);
    // Not even an unfinished item exceeds the budget.
    let upload = store.upload(b"large", &ItemHead::default(), 500_000, &mut context);
    assert!(upload.is_err());
    store.audit(START);
}

/// Regression: without evictions nothing freed flushed items: a full store refused all writes for
/// ever.
#[test]
fn without_evictions_a_flush_frees_memory() {
    let (store, mut context) = begun(without_evictions(SMALL_BYTES));
    for index in 0..2000 {
        store.put(&key(index), &[1; 1000], NEVER, &mut context);
    }
    store.flush(&mut context);
    store.expire(START, |_| {});
    assert_eq!(store.memory().used_bytes, 0);
    assert!(store.put(b"k", &[1; 1000], NEVER, &mut context).is_some());
    store.audit(START);
}

/// Regression: an item held by a reader frees nothing when it is evicted, so evictions went on
/// until the table was empty.
#[test]
fn an_item_that_is_being_read_is_not_evicted() {
    let (store, mut context) = begun(store(SMALL_BYTES));
    let mut readers = Vec::new();
    for index in 0..6 {
        store.put(&key(index), &[1; 140_000], NEVER, &mut context);
        readers.push(store.read(&key(index), &mut context, Item::clone).unwrap());
    }
    for index in 6..20 {
        store.put(&key(index), &[1; 140_000], NEVER, &mut context);
        assert_within_budget(&store);
    }
    assert!((0..6).all(|index| store.held(&key(index)).is_some()));
    drop(readers);
    store.put(b"next", &[1; 140_000], NEVER, &mut context);
    assert!(store.held(b"next").is_some());
    store.audit(START);
}

#[test]
fn accounts_are_exact_after_concurrent_operations() {
    let store = replicated(SMALL_BYTES);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                let mut random = thread + 1;
                for step in 0..8000u64 {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    act(store, random >> 33, after(START, step));
                }
            });
        }
    });
    let end = after(START, 8000);
    assert_within_budget(&store);
    store.audit(end);
}

/// One random operation of a thread.
fn act(store: &Store, random: u64, now: Now) {
    let mut context = OpContext::at(now);
    let key = key(random % 1500);
    let deadline_ms = now.boot_ms + random % 3000;
    match random / 1500 % 16 {
        0..6 => _ = store.put(&key, &[1; 900], deadline_ms, &mut context),
        6..10 => _ = store.get(&key, &mut context),
        10 => _ = store.remove(&key, &mut context),
        11 => _ = store.touch(&key, deadline_ms, &mut context),
        12 => {
            if let Some(item) = store.entry(store.slot_of(&key)) {
                store.confirm(store.slot_of(&key), item.version());
            }
        }
        13 => {
            let timestamp = version(store.hybrid_clock().highest().get() + random % 3);
            store.record(&key, &[2; 500], timestamp, Origin::Live);
        }
        14 => {
            let newest = version(store.hybrid_clock().highest().get());
            store.apply_tombstone(&key, newest, &mut OpContext::at(now));
        }
        _ if random.is_multiple_of(50) => store.expire(now, |_| {}),
        _ => store.promote(store.slot_of(&key), now),
    }
}

/// Regression: the partner's record evicted an item that the partner had not confirmed, and the
/// tombstone was not sent before the next sync.
#[test]
fn an_item_evicted_by_a_record_is_dirty() {
    let (store, mut context) = begun(replicated(SMALL_BYTES));
    let mut written = 0u32;
    while store.evicted() == 0 {
        store.put(&written.to_be_bytes(), &[1; 1000], NEVER, &mut context);
        written += 1;
    }
    context.dirty.clear();
    let head = record_of(version(1 << 51));
    for record in 0..20u32 {
        let key = [&b"record"[..], &record.to_be_bytes()].concat();
        let incoming = store.partial_item(&key, &head, 1000, Origin::Live, &mut context);
        let mut incoming = incoming.unwrap();
        incoming.push(&[2; 1000]);
        let applied = store.apply(incoming, Origin::Live, &mut context);
        assert_eq!(applied, ApplyResult::Applied);
    }
    assert!(!context.dirty.is_empty());
    for slot in context.dirty {
        assert!(store.entry(slot).unwrap().is_tombstone());
    }
}
