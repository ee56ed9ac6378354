//! What a change of one entry does to everything that depends on it.

use super::*;

#[test]
fn a_touch_keeps_the_cas_and_takes_a_second_timestamp() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    let written = store.put(b"k", b"v", NEVER, &mut context).unwrap();
    store.confirm_held(b"k");
    assert!(store.touch(b"k", START.boot_ms + 5000, &mut context));
    let after_touch = store.held(b"k").unwrap();
    assert_eq!(after_touch.cas(), written.get());
    assert!(after_touch.version().touched > written);
    let is_confirmed = after_touch.is_confirmed();
    assert!(!is_confirmed, "the partner does not know of the touch");
    assert_eq!(context.dirty.len(), 2);
}

#[test]
fn a_client_write_is_dirty_and_a_record_is_not() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    assert_eq!(context.dirty, [store.slot_of(b"k")]);
    store.remove(b"k", &mut context);
    assert_eq!(context.dirty.len(), 2);
    store.record(b"r", b"v", version(9 << 40), Origin::Live);
    assert!(store.held(b"r").unwrap().is_confirmed());
    assert_eq!(context.dirty.len(), 2);
}

#[test]
fn a_store_without_a_partner_keeps_no_tombstones_and_no_dirty_keys() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", b"v", START.boot_ms + 10, &mut context);
    store.put(b"l", b"v", NEVER, &mut context);
    store.remove(b"l", &mut context);
    store.remove(b"absent", &mut context);
    let later = after(START, 20);
    assert_eq!(store.get_at(b"k", later), Err(Miss::Expired));
    assert!(context.dirty.is_empty());
    assert_eq!(store.memory().used_bytes, 0);
    store.audit(later);
}

#[test]
fn a_removed_item_stays_charged_while_it_is_being_read() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", &[1; 100_000], NEVER, &mut context);
    let reader = store.read(b"k", &mut context, Item::clone).unwrap();
    store.put(b"k", b"small", NEVER, &mut context);
    assert!(store.memory().used_bytes > 100_000);
    assert_eq!(reader.value(), [1; 100_000]);
    drop(reader);
    store.expire(START, |_| {});
    assert!(store.memory().used_bytes < 1000);
    store.audit(START);
}

#[test]
fn a_write_over_an_expired_item_leaves_no_tombstone() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"k", b"old", START.boot_ms + 10, &mut context);
    let mut later = OpContext::at(after(START, 20));
    store.put(b"k", b"new", NEVER, &mut later);
    assert_eq!(later.dirty.len(), 1);
    assert_eq!(store.counters().sum(|class| &class.reclaimed), 1);
    assert_eq!(store.counters().sum(|class| &class.expired_unfetched), 1);
    store.audit(later.now);
}

/// Regression: it also counted as expired and unfetched, which memcached counts only for items that
/// its crawler or an eviction finds.
#[test]
fn a_lookup_that_removes_an_expired_item_counts_one_miss() {
    let store = store(64 * MEBIBYTE);
    for key in [b"read", b"told", b"left"] {
        let mut context = OpContext::at(START);
        store.put(key, b"old", START.boot_ms + 10, &mut context);
    }
    let mut later = OpContext::at(after(START, 20));
    assert_eq!(store.read(b"read", &mut later, |_| ()), Err(Miss::Expired));
    let found = store.update(b"told", &mut later, |entry| {
        (Action::Keep, entry.map(|_| ()))
    });
    assert_eq!(found.0, Err(Miss::Expired));
    let unread = |store: &Store| store.counters().sum(|class| &class.expired_unfetched);
    assert_eq!((store.memory().live_items, unread(&store)), (1, 0));
    store.expire(after(START, 10_000), |_| {});
    assert_eq!((store.memory().live_items, unread(&store)), (0, 1));
    assert_eq!(store.counters().sum(|class| &class.reclaimed), 0);
}

#[test]
fn a_touch_counts_as_a_use() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    let later = after(START, 10_000);
    store.touch(b"k", NEVER, &mut OpContext::at(later));
    let held = store.held(b"k").unwrap();
    assert!(held.is_fetched());
    assert!(held.idle_ms(later) < 100);
    // A turn that began before the use sees an idle time of 0, not of four years.
    assert_eq!(held.idle_ms(START), 0);
}

/// Regression: every deletion of an absent key left a place in the order of tombstones, and each
/// later change of the shard walked all of them: a million deletes took minutes and 8 MB.
#[test]
fn a_key_deleted_repeatedly_leaves_one_tombstone() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    for _ in 0..1000 {
        store.remove(b"absent", &mut context);
        context.dirty.clear();
    }
    let shard = store.shard(store.slot_of(b"absent")).lock();
    assert_eq!(shard.table.entries().count(), 1);
    assert_eq!(shard.table.tombstones_len(), 1);
}

/// A change of item flags without a timestamp would be lost at the next merge, and one client on
/// each node would be asked to refresh a stale item.
#[test]
fn item_flags_change_like_a_deadline_and_reach_the_partner() {
    let (here, there) = (replicated(64 * MEBIBYTE), replicated(64 * MEBIBYTE));
    let mut context = OpContext::at(START);
    let written = here.put(b"k", b"v", NEVER, &mut context).unwrap();
    let flags = item_flags::STALE | item_flags::TOKEN_SENT;
    let amended = Action::Amend {
        deadline_ms: START.boot_ms + 5000,
        item_flags: flags,
        is_read: false,
    };
    let ((), timestamp) = here.update(b"k", &mut context, |_| (amended, ()));
    let item = here.held(b"k").unwrap();
    assert_eq!(item.cas(), written.get());
    assert_eq!(Some(item.version().touched), timestamp);
    assert_eq!(item.item_flags(), flags);
    assert_eq!(item.deadline_ms(), START.boot_ms + 5000);
    assert!(!item.is_fetched() && !item.is_confirmed());
    assert_eq!(context.dirty.len(), 2);
    let head = RecordHead::of(&item);
    there.record_with(b"k", b"v", &head, Origin::Live, START);
    assert_eq!(there.held(b"k").unwrap().item_flags(), item.item_flags());
    here.audit(START);
    there.audit(START);
}

#[test]
fn a_touch_keeps_the_item_flags() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    let head = ItemHead {
        item_flags: item_flags::STALE,
        ..ItemHead::default()
    };
    store.put_with(b"k", b"v", &head, &mut context);
    store.touch(b"k", NEVER, &mut context);
    assert_eq!(store.held(b"k").unwrap().item_flags(), item_flags::STALE);
}

#[test]
fn a_rewritten_item_keeps_its_history() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    store.get(b"k", &mut context).unwrap();
    let old = store.held(b"k").unwrap();
    let later = after(START, 10_000);
    let pending = store.pending_item(b"k", &until(NEVER), 1).unwrap();
    pending.keep_history_of(&old);
    store.update(b"k", &mut OpContext::at(later), |_| {
        (Action::Put(pending), ())
    });
    let new = store.held(b"k").unwrap();
    assert!(new.is_fetched());
    assert_eq!(new.idle_ms(later), old.idle_ms(later));
    drop(old);
    store.audit(later);
}
