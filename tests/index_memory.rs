//! Entries cost no more memory than they are charged, however long they come and go.
//!
//! The hash index of each shard doubled under churn and stayed so: 10 MB of a node with `-m 64`,
//! charged to nobody. And it stayed as long as it ever was when its entries had gone.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

use std::thread;

use memtwin::store::{Action, ClassPlan, ItemHead, Now, OpContext, Store, StoreConfig};
use tikv_jemalloc_ctl::{epoch, stats};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NOW: Now = Now {
    boot_ms: 1_000_000,
    wall_ms: 200_000_000_000,
};
/// As many as double the index of every shard.
const PUTS: usize = 2_000_000;
/// So that a shard holds 1,135 entries: a doubled index costs each 5 bytes more than it is charged.
const VALUE_BYTES: usize = 40;
/// What caches of the allocator and the test runner's own thread may add.
const SLACK_BYTES: u64 = 512 << 10;
/// What the empty shards keep for their next entries: 4 KiB each.
const EMPTY_BYTES: u64 = 1 << 20;

fn allocated_bytes() -> u64 {
    epoch::advance().unwrap();
    stats::allocated::read().unwrap() as u64
}

fn put(store: &Store, key: usize) {
    let mut context = OpContext::at(NOW);
    let key = format!("key{key:08}");
    let head = ItemHead::default();
    let pending = store
        .pending_item(key.as_bytes(), &head, VALUE_BYTES)
        .unwrap();
    store.update(key.as_bytes(), &mut context, |_| (Action::Put(pending), ()));
}

fn remove(store: &Store, key: usize) {
    let mut context = OpContext::at(NOW);
    let key = format!("key{key:08}");
    store.update(key.as_bytes(), &mut context, |_| (Action::Remove, ()));
}

/// The allocator's cache of a thread counts as allocated, until the thread has ended.
fn in_a_thread(work: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(work).join()).unwrap();
}

// One test only: a second thread's allocations would be counted too.
#[test]
fn entries_that_come_and_go_take_what_they_are_charged() {
    let before = allocated_bytes();
    let store = Store::new(&StoreConfig {
        limit_bytes: 64 << 20,
        item_bytes_max: 1 << 20,
        evicting: true,
        hash_secret: [7; 16],
        side: 0,
        replicated: false,
        classes: ClassPlan::default(),
    });
    let empty = allocated_bytes() - before;
    in_a_thread(|| (0..PUTS).for_each(|key| put(&store, key)));
    let taken = allocated_bytes() - before - empty;
    let charged = store.memory().used_bytes;
    assert!(
        taken <= charged + SLACK_BYTES,
        "{taken} bytes taken, {charged} charged"
    );
    in_a_thread(|| (0..PUTS).for_each(|key| remove(&store, key)));
    assert_eq!(store.memory().live_items, 0);
    let left = allocated_bytes().saturating_sub(before + empty);
    assert!(left <= EMPTY_BYTES, "{left} bytes of indexes are left");
}
