//! What the partner is known to hold.

use super::*;

const LIFE: u64 = 7;
const NEXT_LIFE: u64 = 8;

fn linked() -> (Store, OpContext) {
    let store = replicated(SMALL_BYTES);
    store.partner_linked(LIFE);
    (store, OpContext::at(START))
}

fn unconfirmed(store: &Store) -> u64 {
    store
        .count_unreplicated(Unreplicated::Unconfirmed, START)
        .items
}

impl Store {
    /// The partner acknowledges what is here.
    fn confirm_key(&self, key: &[u8]) {
        let version = self.held(key).unwrap().version();
        self.confirm(self.slot_of(key), version);
    }

    /// Fills the memory with newer items, until this one is evicted.
    fn evict(&self, key: &[u8]) -> OpContext {
        let mut later = OpContext::at(after(START, 5000));
        let is_here = || self.held(key).is_some_and(|held| !held.is_tombstone());
        for nth in 0u8..100 {
            if !is_here() {
                return later;
            }
            self.put(&[nth], &[1; 100 << 10], NEVER, &mut later);
        }
        panic!("it stays");
    }
}

/// Regression: what one process of the partner had confirmed counted as confirmed by the next one,
/// which starts empty, or may be one that was linked before and holds something older. An eviction
/// here left no tombstone for it, so that an older value there was shown again.
#[test]
fn nothing_is_confirmed_by_another_process_of_the_partner() {
    let (store, mut context) = linked();
    for key in [b"own", b"his"] {
        store.put(key, b"v", NEVER, &mut context);
    }
    let newer = version(store.hybrid_clock().highest().get() + 2);
    store.record(b"his", b"v", newer, Origin::Live);
    store.confirm_key(b"own");
    assert_eq!(unconfirmed(&store), 0);
    store.partner_linked(LIFE);
    assert_eq!(unconfirmed(&store), 0, "the same process links again");
    store.partner_linked(NEXT_LIFE);
    assert_eq!(unconfirmed(&store), 2);
    store.confirm_key(b"own");
    assert_eq!(unconfirmed(&store), 1);
    store.partner_linked(LIFE);
    assert_eq!(unconfirmed(&store), 2, "its tables may be old");
    let told = store.evict(b"own");
    assert!(store.held(b"own").unwrap().is_tombstone());
    assert!(told.dirty.contains(&store.slot_of(b"own")));
    store.audit(told.now);
}

#[test]
fn an_item_that_the_partner_has_newer_is_confirmed() {
    let (store, mut context) = linked();
    store.put(b"k", b"v", NEVER, &mut context);
    let held = store.held(b"k").unwrap().version();
    let newer = version(held.timestamp.get() + 2);
    store.superseded(store.slot_of(b"k"), newer, newer);
    assert_eq!(unconfirmed(&store), 1, "of another version nothing is said");
    store.superseded(store.slot_of(b"k"), held, newer);
    assert_eq!(unconfirmed(&store), 0);
}

/// Regression: a record that was refused by the next sync, after an earlier one had brought it
/// and the partner had evicted it, went on counting as confirmed.
#[test]
fn a_refusal_ends_an_earlier_confirmation() {
    let (store, mut context) = linked();
    store.put(b"k", b"v", NEVER, &mut context);
    store.confirm_key(b"k");
    let held = store.held(b"k").unwrap().version();
    store.refused_there(store.slot_of(b"k"), version(held.timestamp.get() - 2));
    assert_eq!(unconfirmed(&store), 0, "that was an older version");
    store.refused_there(store.slot_of(b"k"), held);
    assert_eq!(unconfirmed(&store), 1);
}

#[test]
fn the_partner_is_told_of_an_eviction_that_it_has_confirmed() {
    let (store, mut context) = linked();
    store.want_eviction_notices(true);
    for key in [&b"confirmed"[..], b"unconfirmed", b"touched"] {
        store.put(key, b"v", NEVER, &mut context);
    }
    let told = [&b"confirmed"[..], b"touched"].map(|key| {
        store.confirm_key(key);
        Evicted {
            slot: store.slot_of(key),
            timestamp: store.held(key).unwrap().version().timestamp,
        }
    });
    store.touch(b"touched", NEVER, &mut context);
    for key in [&b"confirmed"[..], b"unconfirmed", b"touched"] {
        store.evict(key);
    }
    // The new items count as unprotected, and are not confirmed by anybody.
    let mut notices = store.take_eviction_notices(100);
    notices.sort_unstable_by_key(|evicted| evicted.timestamp);
    assert_eq!(notices, told, "a tombstone tells of the other");
    assert!(!store.has_eviction_notices());
}

#[test]
fn an_item_that_the_partner_has_evicted_is_unprotected_and_leaves_no_tombstone() {
    let (store, mut context) = linked();
    store.want_eviction_notices(true);
    store.put(b"k", b"v", NEVER, &mut context);
    store.confirm_key(b"k");
    let evicted = Evicted {
        slot: store.slot_of(b"k"),
        timestamp: store.held(b"k").unwrap().version().timestamp,
    };
    let older = Evicted {
        timestamp: Timestamp::from_raw(evicted.timestamp.get() - 2),
        ..evicted
    };
    assert!(!store.evicted_there(older));
    assert_eq!(store.unprotected_items(START).items, 0);
    context.dirty.clear();
    assert!(store.evicted_there(evicted) && !store.evicted_there(evicted));
    assert_eq!(store.unprotected_items(START).items, 1);
    assert!(context.dirty.is_empty(), "it is not sent again");
    // The partner has nothing of it that a tombstone would have to remove, and counts on nothing.
    let later = store.evict(b"k");
    assert!(store.held(b"k").is_none());
    assert!(!later.dirty.contains(&evicted.slot) && !store.has_eviction_notices());
    store.audit(later.now);
}

#[test]
fn notices_of_evictions_are_bounded_and_those_beyond_are_counted() {
    let (store, _) = linked();
    let evict = |number: usize| {
        let mut context = OpContext::at(START);
        let mut timestamps = (1u64 << 40..).step_by(2);
        for key in 0..number {
            let version = version(timestamps.next().unwrap());
            store.record(&key.to_be_bytes(), b"v", version, Origin::Live);
            let slot = store.slot_of(&key.to_be_bytes());
            store.evict_item(&mut store.shard(slot).lock(), slot, &mut context);
            store.after_eviction(&mut context);
        }
    };
    evict(10);
    assert!(!store.has_eviction_notices(), "there is no link");
    store.want_eviction_notices(true);
    evict(limits::EVICTION_NOTICES_MAX + 7);
    let untold = store.counters().evictions_untold.load(RELAXED);
    assert_eq!(untold, 7);
    assert_eq!(
        store.take_eviction_notices(usize::MAX).len(),
        limits::EVICTION_NOTICES_MAX
    );
    evict(10);
    store.want_eviction_notices(false);
    assert!(!store.has_eviction_notices());
    // An item that has come back is no news any more.
    store.want_eviction_notices(true);
    evict(1);
    store.record(&0usize.to_be_bytes(), b"v", version(1 << 40), Origin::Sync);
    assert_eq!(store.take_eviction_notices(100), []);
}

#[test]
fn a_touch_without_its_value_is_applied_to_that_value_only() {
    let (store, _) = linked();
    let written = version(1 << 50);
    let touched = |ticks: u64| Version {
        touched: Timestamp::from_raw((1 << 50) + ticks),
        ..written
    };
    let touch = |version, deadline_ms| {
        let head = RecordHead {
            version,
            deadline_ms: Some(deadline_ms),
            item_flags: item_flags::STALE,
            ..RecordHead::default()
        };
        store.apply_touch(b"k", &head, &mut OpContext::at(START))
    };
    let ends = START.boot_ms + 5000;
    assert_eq!(touch(touched(4), ends), ApplyResult::Lacking);
    store.record(b"k", b"older", version((1 << 50) - 2), Origin::Live);
    assert_eq!(touch(touched(4), ends), ApplyResult::Lacking);
    store.record(b"k", b"v", written, Origin::Live);
    assert_eq!(touch(touched(4), ends), ApplyResult::Applied);
    let held = store.held(b"k").unwrap();
    assert_eq!((held.version(), held.value()), (touched(4), &b"v"[..]));
    assert_eq!(
        (held.deadline_ms(), held.item_flags()),
        (ends, item_flags::STALE)
    );
    assert!(store.hybrid_clock().highest() >= touched(4).touched);
    let superseded = ApplyResult::Superseded(touched(4));
    assert_eq!(touch(touched(2), NEVER - 1), superseded);
    // Of equal versions the earlier deadline counts.
    assert_eq!(touch(touched(4), ends - 1000), ApplyResult::Applied);
    assert_eq!(touch(touched(4), ends), ApplyResult::Applied);
    assert_eq!(held.deadline_ms(), ends - 1000);
    store.audit(START);
    // The value is gone: its tombstone has the version of the touch.
    drop(held);
    assert!(store.get_at(b"k", after(START, 4000)).is_err());
    assert_eq!(touch(touched(6), NEVER - 1), ApplyResult::Lacking);
    let watermark = store.flush(&mut OpContext::at(after(START, 1 << 40)));
    let flushed = ApplyResult::Superseded(Version::written(watermark));
    assert_eq!(touch(touched(8), NEVER - 1), flushed);
    assert_eq!(store.unprotected_items(START).items, 0);
}

/// A touch makes an item hot on the node where it was made. On the other one it stayed as cold as
/// it was, and was evicted first there.
#[test]
fn a_touch_without_its_value_makes_the_item_hot() {
    let (store, _) = linked();
    let slot = store.slot_of(b"k");
    store.record(b"k", b"v", version(1 << 50), Origin::Live);
    let shard = hash::shard_of(slot, store.shard_bits);
    let near = (0u64..).map(u64::to_be_bytes);
    let mut near = near.filter(|key| hash::shard_of(store.slot_of(key), store.shard_bits) == shard);
    store.record(&near.next().unwrap(), b"v", version(1 << 50), Origin::Live);
    let head = RecordHead {
        version: Version {
            touched: Timestamp::from_raw((1 << 50) + 2),
            ..version(1 << 50)
        },
        ..RecordHead::default()
    };
    store.apply_touch(b"k", &head, &mut OpContext::at(after(START, 500)));
    let mut slots = Vec::new();
    store.slots_of(shard, &mut slots);
    assert_eq!(slots[0], slot);
    store.audit(after(START, 500));
}

/// Regression: a change that an ack makes may drop the oldest tombstones, as every change may.
/// Their memory was never given back to the account.
#[test]
fn tombstones_that_are_dropped_by_an_ack_are_refunded() {
    let (store, mut context) = linked();
    store.put(b"k", b"v", NEVER, &mut context);
    let shard_of = |key: &[u8]| hash::shard_of(store.slot_of(key), store.shard_bits);
    let keys = (0u64..).map(u64::to_be_bytes);
    let near = keys.filter(|key| shard_of(key) == shard_of(b"k"));
    for key in near.take(8) {
        store.remove(&key, &mut context);
    }
    for key in 0..400u32 {
        store.remove(&key.to_be_bytes(), &mut context);
    }
    assert_eq!(store.memory().tombstones, 408);
    // Now they hold more than their share.
    store.set_limit_bytes(SMALL_BYTES - (400 << 10));
    store.shrink(START, |_| {});
    store.confirm_key(b"k");
    assert!(store.memory().tombstones <= 400);
    store.audit(START);
}
