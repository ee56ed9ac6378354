//! Deadlines: found on access, taken back by the expiry_buckets, moved by touches.

use super::*;

#[test]
fn housekeeping_takes_back_what_no_client_asks_for() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    for index in 0..1000u64 {
        let deadline_ms = START.boot_ms + index * 100;
        store.put(
            &index.to_be_bytes(),
            b"value",
            &until(deadline_ms),
            &mut context,
        );
    }
    let halfway = after(START, 50_000);
    store.expire(halfway, |_| {});
    store.audit(halfway);
    let left = store.memory().live_items;
    assert_eq!(
        left, 499,
        "few as they are, they need not wait for their bucket"
    );
    let end = after(START, 100_000 + 16_384);
    store.expire(end, |_| {});
    assert_eq!(store.memory().used_bytes, 0);
    store.audit(end);
}

/// Each round would look at all of them again.
#[test]
fn where_many_expire_they_wait_for_their_bucket() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    let many = 2 * limits::EXPIRY_EARLY_ENTRIES as u64;
    for index in 0..many {
        let key = index.to_be_bytes();
        store.put(&key, b"v", &until(START.boot_ms + 1), &mut context);
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
fn a_touched_item_outlives_its_old_bucket_and_not_its_new_one() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    store.put(b"k", b"v", &until(START.boot_ms + 1000), &mut context);
    store.touch(b"k", START.boot_ms + 100_000, &mut context);
    let between = after(START, 50_000);
    store.expire(between, |_| {});
    store.audit(between);
    assert!(store.get(b"k", &mut OpContext::at(between)).is_ok());
    let end = after(START, 120_000);
    store.expire(end, |_| {});
    assert_eq!(store.memory().live_items, 0);
}

/// Housekeeping handed every item that it queued anew to the list of items whose readers hold
/// them up. When such an item was replaced it waited there for itself: each session that was
/// touched and then written once was never freed.
#[test]
fn an_item_that_was_queued_anew_is_freed_when_it_is_replaced() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    store.put(
        b"k",
        &[1; 10_000],
        &until(START.boot_ms + 1000),
        &mut context,
    );
    store.touch(b"k", START.boot_ms + 500_000, &mut context);
    let later = after(START, 50_000);
    store.expire(later, |_| {});
    store.put(b"k", b"small", &until(NEVER), &mut OpContext::at(later));
    store.expire(later, |_| {});
    assert!(
        store.memory().used_bytes < 1000,
        "{}",
        store.memory().used_bytes
    );
    store.audit(later);
}

/// Every set of a key that had been deleted since queued it once more. A client that set and
/// deleted one key 10,000 times a second would have filled 300 MB with that before the first
/// bucket fired.
#[test]
fn a_key_set_and_deleted_again_and_again_fills_no_wheel() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    for _ in 0..1000 {
        store.put(b"k", b"v", &until(START.boot_ms + 3_600_000), &mut context);
        store.remove(b"k", &mut context);
    }
    store.put(b"k", b"v", &until(START.boot_ms + 3_600_000), &mut context);
    store.audit(START);
    let shard = store.shard(store.slot_of(b"k")).lock();
    assert!(
        shard.expiry_buckets.len < 100,
        "{}",
        shard.expiry_buckets.len
    );
}

#[test]
fn an_item_written_again_and_again_is_queued_once() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    for _ in 0..10 {
        store.put(b"k", b"v", &until(START.boot_ms + 3_600_000), &mut context);
    }
    let shard = store.shard(store.slot_of(b"k")).lock();
    assert_eq!(shard.expiry_buckets.len, 1);
}

#[test]
fn an_expired_item_tells_the_partner_unless_it_knew() {
    let store = replicated(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    for key in [b"known", b"fresh"] {
        store.put(key, b"v", &until(START.boot_ms + 1000), &mut context);
    }
    let known = store.held(b"known").unwrap().version();
    let fresh = store.held(b"fresh").unwrap().version();
    store.confirm(store.slot_of(b"known"), known);
    let mut dirty = Vec::new();
    store.expire(after(START, 40_000), |context| {
        dirty.append(&mut context.dirty);
    });
    assert_eq!(dirty, [store.slot_of(b"fresh")]);
    assert!(store.held(b"known").is_none());
    let tombstone = store.held(b"fresh").unwrap();
    assert!(tombstone.is_tombstone());
    assert_eq!(
        tombstone.version(),
        fresh,
        "expiry keeps the removed version"
    );
}

#[test]
fn a_flush_kills_what_is_there_and_nothing_later() {
    let store = store(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    store.put(b"old", b"v", &until(NEVER), &mut context);
    store.put(b"unread", b"v", &until(NEVER), &mut context);
    store.flush(&mut context);
    store.put(b"new", b"v", &until(NEVER), &mut context);
    assert_eq!(store.get(b"old", &mut context), Err(Miss::Flushed));
    assert_eq!(store.get(b"old", &mut context), Err(Miss::Absent));
    assert!(store.get(b"new", &mut context).is_ok());
    store.expire(START, |_| {});
    assert_eq!(
        store.memory().live_items,
        1,
        "the memory of the unread one is back"
    );
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

/// The tombstones of what was deleted before a flush were kept for a partner that is away until it
/// came back, though the flush watermark that it is told first says the same of all older values.
#[test]
fn a_flush_takes_the_tombstones_before_it_and_what_was_deleted_stays_dead() {
    let store = replicated(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    let older = store.put(b"k", b"v", &until(NEVER), &mut context).unwrap();
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
        let verdict = store.record(b"k", b"v", older, origin);
        let flush_watermark = Version::written(store.flush_watermark());
        assert_eq!(verdict, ApplyResult::Superseded(flush_watermark));
    }
    assert_eq!(store.memory().live_items, 0);
}
