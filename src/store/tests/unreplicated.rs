//! What a stopping node counts as unreplicated.

use super::*;

fn count(items: u64, deletions: u64) -> UnreplicatedCount {
    UnreplicatedCount { items, deletions }
}

#[test]
fn unconfirmed_entries_count_and_without_a_link_all_entries() {
    let store = replicated(64 * MEBIBYTE);
    assert_eq!(
        store.count_unreplicated(Unreplicated::All, START),
        count(0, 0)
    );
    let mut context = OpContext::at(START);
    for key in [b"a", b"b", b"c"] {
        store.put(key, b"v", NEVER, &mut context);
    }
    let confirm = |key: &[u8]| {
        let version = store.held(key).unwrap().version();
        store.confirm(store.slot_of(key), version);
    };
    confirm(b"a");
    assert_eq!(
        store.count_unreplicated(Unreplicated::Unconfirmed, START),
        count(2, 0)
    );
    assert_eq!(
        store.count_unreplicated(Unreplicated::All, START),
        count(3, 0)
    );
    // A deletion is unreplicated until it is confirmed; an expired item that was not
    // removed yet is not counted.
    store.remove(b"a", &mut context);
    store.put(b"b", b"v", START.boot_ms + 1000, &mut context);
    let later = after(START, 5000);
    assert_eq!(
        store.count_unreplicated(Unreplicated::Unconfirmed, later),
        count(1, 1)
    );
    confirm(b"a");
    confirm(b"c");
    assert_eq!(
        store.count_unreplicated(Unreplicated::Unconfirmed, later),
        count(0, 0)
    );
    assert_eq!(
        store.count_unreplicated(Unreplicated::All, later),
        count(1, 0)
    );
}

#[test]
fn a_flush_counts_without_a_link() {
    let store = replicated(64 * MEBIBYTE);
    let mut context = OpContext::at(START);
    store.put(b"k", b"v", NEVER, &mut context);
    store.raise_flush_watermark(Timestamp::from_raw(u64::MAX >> 1));
    assert_eq!(
        store.count_unreplicated(Unreplicated::Unconfirmed, START),
        count(0, 0)
    );
    assert_eq!(
        store.count_unreplicated(Unreplicated::All, START),
        count(0, 1)
    );
}
