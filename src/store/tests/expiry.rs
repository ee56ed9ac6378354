//! Deadlines: checked at access, removed by housekeeping, changed by touches.

use super::*;

#[test]
fn housekeeping_removes_expired_items() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    for index in 0..1000u64 {
        let deadline_ms = START.boot_ms + index * 100;
        store.put(&index.to_be_bytes(), b"value", deadline_ms, &mut context);
    }
    let halfway = after(START, 50_000);
    store.expire(halfway, |_| {});
    store.audit(halfway);
    let left = store.memory().live_items;
    // Few as they are, they need not wait for their bucket.
    assert_eq!(left, 499);
    let end = after(START, 100_000 + 16_384);
    store.expire(end, |_| {});
    assert_eq!(store.memory().used_bytes, 0);
    store.audit(end);
}

/// Otherwise each round of housekeeping would check all of them again.
#[test]
fn many_expiring_items_wait_for_their_bucket() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    let many = 2 * limits::EXPIRY_EARLY_ENTRIES as u64;
    for index in 0..many {
        let key = index.to_be_bytes();
        store.put(&key, b"v", START.boot_ms + 1, &mut context);
    }
    let soon = after(START, 2);
    store.expire(soon, |_| {});
    store.audit(soon);
    let left = store.memory().live_items;
    let looked_at = limits::EXPIRY_EARLY_ENTRIES as u64;
    assert!((many - looked_at..many).contains(&left), "{left}");
    store.expire(after(START, 20_000), |_| {});
    assert_eq!(store.memory().live_items, 0);
}

#[test]
fn a_touched_item_expires_with_its_new_bucket() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", b"v", START.boot_ms + 1000, &mut context);
    store.touch(b"k", START.boot_ms + 100_000, &mut context);
    let between = after(START, 50_000);
    store.expire(between, |_| {});
    store.audit(between);
    assert!(store.get_at(b"k", between).is_ok());
    let end = after(START, 120_000);
    store.expire(end, |_| {});
    assert_eq!(store.memory().live_items, 0);
}

/// Regression: housekeeping pinned every item that it queued again. When such an item was replaced,
/// its own entry in that list kept it alive: a session that was touched and then written once was
/// never freed.
#[test]
fn a_requeued_item_is_freed_when_it_is_replaced() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", &[1; 10_000], START.boot_ms + 1000, &mut context);
    store.touch(b"k", START.boot_ms + 500_000, &mut context);
    let later = after(START, 50_000);
    store.expire(later, |_| {});
    store.put(b"k", b"small", NEVER, &mut OpContext::at(later));
    store.expire(later, |_| {});
    let used_bytes = store.memory().used_bytes;
    assert!(used_bytes < 1000, "{used_bytes}");
    store.audit(later);
}

/// Regression: every set of a deleted key queued it once more. A client that set and deleted one
/// key 10,000 times a second filled 300 MB before the first bucket fired.
#[test]
fn a_key_set_and_deleted_repeatedly_does_not_fill_the_buckets() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    for _ in 0..1000 {
        store.put(b"k", b"v", START.boot_ms + 3_600_000, &mut context);
        store.remove(b"k", &mut context);
    }
    store.put(b"k", b"v", START.boot_ms + 3_600_000, &mut context);
    store.audit(START);
    let shard = store.shard(store.slot_of(b"k")).lock();
    let queued = shard.expiry_buckets.len;
    assert!(queued < 100, "{queued}");
}

#[test]
fn an_item_written_repeatedly_is_queued_once() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    for _ in 0..10 {
        store.put(b"k", b"v", START.boot_ms + 3_600_000, &mut context);
    }
    let shard = store.shard(store.slot_of(b"k")).lock();
    assert_eq!(shard.expiry_buckets.len, 1);
}

#[test]
fn expiry_of_an_unconfirmed_item_leaves_a_tombstone() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    for key in [b"known", b"fresh"] {
        store.put(key, b"v", START.boot_ms + 1000, &mut context);
    }
    let fresh = store.held(b"fresh").unwrap().version();
    store.confirm_held(b"known");
    let mut dirty = Vec::new();
    store.expire(after(START, 40_000), |context| {
        dirty.append(&mut context.dirty);
    });
    assert_eq!(dirty, [store.slot_of(b"fresh")]);
    assert!(store.held(b"known").is_none());
    let tombstone = store.held(b"fresh").unwrap();
    assert!(tombstone.is_tombstone());
    let left = tombstone.version();
    assert_eq!(left, fresh, "expiry keeps the removed version");
}

#[test]
fn a_flush_invalidates_earlier_items_and_no_later_ones() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"old", b"v", NEVER, &mut context);
    store.put(b"unread", b"v", NEVER, &mut context);
    store.flush(&mut context);
    store.put(b"new", b"v", NEVER, &mut context);
    assert_eq!(store.get(b"old", &mut context), Err(Miss::Flushed));
    assert_eq!(store.get(b"old", &mut context), Err(Miss::Absent));
    assert!(store.get(b"new", &mut context).is_ok());
    store.expire(START, |_| {});
    let live_items = store.memory().live_items;
    assert_eq!(live_items, 1, "the memory of the unread one is back");
    store.audit(START);
}

#[test]
fn a_delayed_flush_fires_once_and_is_replaced_by_a_later_command() {
    let store = store(64 * MEBIBYTE);
    store.flush_later(START.boot_ms + 1000);
    store.flush_later(START.boot_ms + 2000);
    assert_eq!(store.flush_if_due(after(START, 1500)), None);
    assert!(store.flush_if_due(after(START, 2000)).is_some());
    assert_eq!(store.flush_if_due(after(START, 9000)), None);
    store.flush_later(START.boot_ms + 10_000);
    store.flush(&mut OpContext::at(START));
    assert_eq!(store.flush_if_due(after(START, 20_000)), None);
}

/// Regression: tombstones from before a flush were kept until an absent partner came back, although
/// the flush watermark, which it gets first, invalidates all older values.
#[test]
fn a_flush_removes_earlier_tombstones_and_deleted_keys_stay_deleted() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    let older = store.put(b"k", b"v", NEVER, &mut context).unwrap();
    for key in 0..100u64 {
        store.remove(&key.to_be_bytes(), &mut context);
    }
    store.remove(b"k", &mut context);
    store.flush(&mut context);
    store.remove(b"later", &mut context);
    store.expire(START, |_| {});
    store.audit(START);
    assert_eq!(store.memory().tombstones, 1);
    assert!(store.held(b"later").is_some_and(|item| item.is_tombstone()));
    let older = Version::written(older);
    for origin in [Origin::Live, Origin::Sync] {
        let result = store.record(b"k", b"v", older, origin);
        let flush_watermark = Version::written(store.flush_watermark());
        assert_eq!(result, ApplyResult::Superseded(flush_watermark));
    }
    assert_eq!(store.memory().live_items, 0);
}
