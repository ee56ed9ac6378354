//! What a stopping node counts as unreplicated.

use super::*;
use Unreplicated::{All, Unconfirmed};

fn items_and_deletions(store: &Store, which: Unreplicated, now: Now) -> (u64, u64) {
    let UnreplicatedCount { items, deletions } = store.count_unreplicated(which, now);
    (items, deletions)
}

#[test]
fn unconfirmed_entries_count_and_without_a_link_all_entries() {
    let store = replicated(64 * MEBIBYTE);
    assert_eq!(items_and_deletions(&store, All, START), (0, 0));
    let mut context = OpContext::at(START);
    for key in [b"a", b"b", b"c"] {
        store.put(key, b"v", NEVER, &mut context);
    }
    store.confirm_held(b"a");
    assert_eq!(items_and_deletions(&store, Unconfirmed, START), (2, 0));
    assert_eq!(items_and_deletions(&store, All, START), (3, 0));
    // A deletion is unreplicated until it is confirmed; an expired item that was not
    // removed yet is not counted.
    store.remove(b"a", &mut context);
    store.put(b"b", b"v", START.boot_ms + 1000, &mut context);
    let later = after(START, 5000);
    assert_eq!(items_and_deletions(&store, Unconfirmed, later), (1, 1));
    store.confirm_held(b"a");
    store.confirm_held(b"c");
    assert_eq!(items_and_deletions(&store, Unconfirmed, later), (0, 0));
    assert_eq!(items_and_deletions(&store, All, later), (1, 0));
}

#[test]
fn a_flush_counts_without_a_link() {
    let store = replicated(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    store.put(b"k", b"v", NEVER, &mut context);
    store.raise_flush_watermark(Timestamp::from_raw(u64::MAX >> 1));
    assert_eq!(items_and_deletions(&store, Unconfirmed, START), (0, 0));
    assert_eq!(items_and_deletions(&store, All, START), (0, 1));
}
