//! The machine has no memory although the budget has.
//!
//! Regression: items were refused for ever then (`ulimit -v 400000`, `-m 2048`: 350 of 6,000 values
//! were stored); memcached evicts and stores all.

use super::*;

/// A store of 64 MiB on a machine that has memory for so much of it.
fn store_on_machine_of(machine_bytes: u64) -> Store {
    let store = replicated(64 * MEBIBYTE);
    store.shared.machine_bytes.store(machine_bytes, RELAXED);
    store
}

/// Stores a value as commands do.
fn put(store: &Store, key: &[u8], len: usize, context: &mut OpContext) -> bool {
    let head = ItemHead::default();
    let pending = |_: &mut OpContext| store.pending_item(key, &head, len);
    let Ok(pending) = store.retry(context, |context| context, pending, Result::is_err) else {
        return false;
    };
    store.update(key, context, |_| (Action::Put(pending), ()));
    true
}

#[test]
fn items_are_evicted_until_one_is_allocated() {
    let (store, mut context) = begun(store_on_machine_of(4 * MEBIBYTE));
    for index in 0..300u64 {
        context.now = after(START, index);
        for len in [100, 20_000, 100_000] {
            let key = [&index.to_be_bytes()[..], &len.to_string().into_bytes()].concat();
            assert!(put(&store, &key, len, &mut context), "{index} {len}");
            assert!(store.held(&key).is_some());
        }
        assert!(store.memory().used_bytes <= 4 * MEBIBYTE);
    }
    let evicted = store.evicted();
    assert!((500..900).contains(&evicted), "{evicted}");
    assert_eq!(store.counters().sum(|class| &class.out_of_memory), 0);
    let news = context.dirty.len();
    assert!(news > 900, "evictions are news for the partner");
    store.audit(context.now);
}

#[test]
fn uploads_evict_when_the_machine_has_no_memory() {
    let (store, mut context) = begun(store_on_machine_of(4 * MEBIBYTE));
    for index in 0..30u64 {
        for len in [30_000, 900_000] {
            let key = [&index.to_be_bytes()[..], &len.to_string().into_bytes()].concat();
            let mut upload = store
                .upload(&key, &ItemHead::default(), len, &mut context)
                .unwrap();
            for piece in vec![7; len].chunks(10_000) {
                let taken = store.receive(&mut upload, piece, &mut context);
                assert_eq!(taken, Ok(piece.len()));
            }
            let pending = upload.into_pending_item(&store);
            store.update(&key, &mut context, |_| (Action::Put(pending), ()));
        }
    }
    assert_eq!(store.counters().sum(|class| &class.out_of_memory), 0);
    store.audit(START);
}

/// A record that finds no memory is refused, but evicts for those that follow.
#[test]
fn after_a_refused_record_the_next_one_finds_memory() {
    let (store, mut context) = begun(store_on_machine_of(4 * MEBIBYTE));
    for index in 0..60u64 {
        assert!(put(&store, &index.to_be_bytes(), 100_000, &mut context));
    }
    let record = |key: &[u8], timestamp, origin| {
        store.record(key, &[1; 100_000], version(1 << 51 | timestamp), origin)
    };
    let mut applied = 0;
    for timestamp in 0..20u64 {
        let key = [&b"record"[..], &timestamp.to_be_bytes()].concat();
        applied += u32::from(record(&key, timestamp, Origin::Live) == ApplyResult::Applied);
    }
    assert!(applied >= 10, "{applied} of 20");
    // A sync evicts nothing.
    let evicted = store.evicted();
    for timestamp in 0..20u64 {
        let key = [&b"passed"[..], &timestamp.to_be_bytes()].concat();
        record(&key, timestamp, Origin::Sync);
    }
    assert_eq!(store.evicted(), evicted);
    store.audit(START);
}

#[test]
fn an_item_that_cannot_be_allocated_is_refused_and_counted_once() {
    let (store, mut context) = begun(store_on_machine_of(MEBIBYTE));
    assert!(put(&store, b"small", 100_000, &mut context));
    assert!(!put(&store, b"large", 2 << 20, &mut context));
    assert_eq!(store.counters().sum(|class| &class.out_of_memory), 1);
    assert!(put(&store, b"small", 100_000, &mut context));
    store.audit(START);
}
