//! What a stopping node counts as unreplicated.

use super::*;
use Unreplicated::{All, Unconfirmed};

#[test]
fn unconfirmed_entries_count_and_without_a_link_all_entries() {
    let store = replicated(64 * MEBIBYTE);
    assert_eq!(store.count_unreplicated(All, START), 0);
    let mut context = OpContext::at(START);
    for key in [b"a", b"b", b"c"] {
        store.put(key, b"v", NEVER, &mut context);
    }
    let confirm = |key: &[u8]| {
        let version = store.held(key).unwrap().version();
        store.confirm(store.slot_of(key), version);
    };
    confirm(b"a");
    assert_eq!(store.count_unreplicated(Unconfirmed, START), 2);
    assert_eq!(store.count_unreplicated(All, START), 3);
    // A deletion is unreplicated until it is confirmed; an expired item that was not
    // removed yet is not counted.
    store.remove(b"a", &mut context);
    store.put(b"b", b"v", START.boot_ms + 1000, &mut context);
    let later = after(START, 5000);
    assert_eq!(store.count_unreplicated(Unconfirmed, later), 2);
    confirm(b"a");
    confirm(b"c");
    assert_eq!(store.count_unreplicated(Unconfirmed, later), 0);
    assert_eq!(store.count_unreplicated(All, later), 1);
}

#[test]
fn a_flush_counts_without_a_link() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    store.raise_flush_watermark(Timestamp::from_raw(u64::MAX >> 1));
    assert_eq!(store.count_unreplicated(Unconfirmed, START), 0);
    assert_eq!(store.count_unreplicated(All, START), 1);
}
