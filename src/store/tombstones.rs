//! The tombstones of one shard: how many there are, and which is the oldest.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::hlc::Timestamp;
use super::item::Item;
use super::memory::{Account, cost_bytes};
use super::table::Table;

/// How many stale places may exceed the tombstones before they are swept: a small shard need not
/// sweep at every deletion.
const STALE_KEPT: usize = 64;

/// The count and the order of a shard's tombstones.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    pub(super) count: usize,
    /// Oldest first, each with the timestamp it was made under: a place whose slot holds anything
    /// else by now is stale. Without the timestamp a key deleted again and again would pile up
    /// places.
    pub(super) order: VecDeque<(u64, Timestamp)>,
}

impl Tombstones {
    pub(super) fn enter(&mut self, account: &Account, slot: u64, item: &Item) {
        self.count += 1;
        self.order.push_back((slot, item.version().latest()));
        account.tombstones.fetch_add(1, Ordering::Relaxed);
        account
            .tombstone_bytes
            .fetch_add(cost_bytes(item), Ordering::Relaxed);
    }

    pub(super) fn leave(&mut self, account: &Account, item: &Item) {
        self.count -= 1;
        account.tombstones.fetch_sub(1, Ordering::Relaxed);
        account
            .tombstone_bytes
            .fetch_sub(cost_bytes(item), Ordering::Relaxed);
    }

    /// Removes stale places when they outnumber the tombstones.
    pub(super) fn sweep(&mut self, table: &Table) {
        if self.order.len() > 2 * self.count + STALE_KEPT {
            self.order.retain(|&place| is_current(table, place));
        }
    }

    /// Takes the oldest tombstone off the list.
    pub(super) fn pop_oldest(&mut self, table: &Table) -> Option<u64> {
        while let Some(place) = self.order.pop_front() {
            if is_current(table, place) {
                return Some(place.0);
            }
        }
        None
    }
}

fn is_current(table: &Table, (slot, timestamp): (u64, Timestamp)) -> bool {
    table
        .peek(slot)
        .is_some_and(|item| item.is_tombstone() && item.version().latest() == timestamp)
}
