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

/// Regression: a record that was refused by the next full sync, after an earlier one had brought it
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
