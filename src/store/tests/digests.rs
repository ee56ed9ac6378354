//! The sums of the buckets. That they are those of the table after every operation is checked by
//! the audit, which the model runs after each.

use super::*;
use crate::limits::BUCKETS;

fn sums(store: &Store) -> Vec<u64> {
    let mut sums = Vec::new();
    for shard in 0..store.shard_count() {
        let (first, count) = store.buckets_of(shard);
        assert_eq!(first, sums.len());
        store.sums_of(shard, &mut sums);
        assert_eq!(sums.len(), first + count);
    }
    assert_eq!(sums.len(), BUCKETS);
    sums
}

fn key(number: u64) -> Vec<u8> {
    format!("session-{number}").into_bytes()
}

/// Two nodes of a pair differ in `-m`, and so in their shards, and got their items in another
/// order.
#[test]
fn nodes_with_the_same_items_have_the_same_sums_whatever_their_shards_are() {
    let (small, large) = (replicated(64 * MEBIBYTE), replicated(4096 * MEBIBYTE));
    assert_ne!(small.shard_count(), large.shard_count());
    assert_eq!(small.hash_check(), large.hash_check());
    for number in 0..500 {
        let (head, back) = (number + 1, 500 - number);
        small.record(&key(head), b"value", version(head), Origin::Live);
        large.record(&key(back), b"value", version(back), Origin::Sync);
    }
    let expected = sums(&small);
    assert!(expected.iter().filter(|&&sum| sum != 0).count() > 490);
    assert_eq!(sums(&large), expected);
    for (bucket, sum) in expected.iter().enumerate() {
        assert_eq!(small.bucket_sum(bucket), *sum);
        assert_eq!(large.bucket_sum(bucket), *sum);
    }
    large.audit(START);
}

#[test]
fn another_version_changes_the_sum_of_its_bucket_alone() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    let bucket = usize::from(bucket_of(store.slot_of(b"k")));
    let mut seen = vec![store.bucket_sum(bucket)];
    store.touch(b"k", START.boot_ms + 5000, &mut context);
    seen.push(store.bucket_sum(bucket));
    store.put(b"k", b"v", NEVER, &mut context);
    seen.push(store.bucket_sum(bucket));
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
    let others = sums(&store);
    let others = others.iter().enumerate().filter(|(at, _)| *at != bucket);
    assert!(others.map(|(_, sum)| *sum).all(|sum| sum == 0));
}

/// A receiver keeps no tombstones, so with them two nodes would differ until the last is gone.
#[test]
fn tombstones_do_not_count() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    store.remove(b"k", &mut context);
    assert_eq!(store.memory().tombstones, 1);
    assert!(sums(&store).iter().all(|&sum| sum == 0));
    let shard = store.shard_of_bucket(usize::from(bucket_of(store.slot_of(b"k"))));
    let has_tombstone = |shard| store.sums_of(shard, &mut Vec::new());
    assert!(has_tombstone(shard));
    assert!(!has_tombstone((shard + 1) % store.shard_count()));
}

/// Both nodes have had the flush, and one of them may not have removed anything yet.
#[test]
fn what_a_flush_has_invalidated_is_not_listed() {
    let (store, mut context) = begun(replicated(64 * MEBIBYTE));
    store.put(b"before", b"v", NEVER, &mut context);
    store.flush(&mut context);
    store.put(b"after", b"v", NEVER, &mut context);
    store.remove(b"deleted", &mut context);
    let mut all = Vec::new();
    for shard in 0..store.shard_count() {
        let mut entries = Vec::new();
        store.list_shard(shard, &mut entries);
        assert!(entries.is_sorted_by_key(|entry| (entry.bucket(), entry.hash)));
        all.extend(entries.iter().map(|entry| (entry.slot, entry.is_tombstone)));
    }
    all.sort_unstable();
    let mut expected = [
        (store.slot_of(b"after"), false),
        (store.slot_of(b"deleted"), true),
    ];
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn a_node_without_a_partner_has_no_sums() {
    let (store, mut context) = begun(store(64 * MEBIBYTE));
    store.put(b"k", b"v", NEVER, &mut context);
    let mut sums = Vec::new();
    (0..store.shard_count()).for_each(|shard| _ = store.sums_of(shard, &mut sums));
    assert!(sums.is_empty());
}

/// Nodes of different versions compare their sums.
#[test]
fn what_an_item_adds_to_a_sum_is_a_wire_constant() {
    let store = Store::with_hasher(
        &StoreConfig {
            replicated: true,
            ..config(64 * MEBIBYTE)
        },
        KeyHasher::colliding(),
    );
    store.record(b"k", b"v", version(5), Origin::Live);
    assert_eq!(store.bucket_sum(0), SUM_OF_ONE);
}

/// Of a key with the hash 0x55 and the timestamp 5, never touched.
const SUM_OF_ONE: u64 = 0x5c1d_908a_84d8_d3a1;
