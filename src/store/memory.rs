//! The memory account: what every item costs, and how much of `-m` is left for items.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::item::Item;
use super::machine;
use super::unfinished::UnfinishedInputs;
use crate::limits;

const RELAXED: Ordering = Ordering::Relaxed;

/// The memory account of a node, in bytes and entries.
#[derive(Debug)]
pub(crate) struct Account {
    /// What items may take: `-m` without the tables and the process itself.
    budget_bytes: AtomicU64,
    /// The part of the budget that the machine has memory for: all of it, unless the address space
    /// of the process is limited.
    granted_bytes: AtomicU64,
    is_machine_limited: bool,
    /// How many further requests are denied without asking the machine again.
    denials_left: AtomicU32,
    used_bytes: AtomicU64,
    pub(crate) unfinished: UnfinishedInputs,
    /// Bytes of replies that clients have not read.
    pub(crate) output_bytes: AtomicU64,
    pub(crate) live_items: AtomicU64,
    tombstones: AtomicU64,
    pub(super) tombstone_bytes: AtomicU64,
}

/// A snapshot of the memory account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes taken by items and tombstones, with their overhead.
    pub used_bytes: u64,
    /// Bytes they may take.
    pub budget_bytes: u64,
    /// The part of these bytes taken by values and long lines that are still being received.
    pub unfinished_bytes: u64,
    /// Items in the table, including expired ones that were not removed yet.
    pub live_items: u64,
    /// Deletions that the partner has not confirmed.
    pub tombstones: u64,
}

impl Account {
    pub(crate) fn new(budget_bytes: u64) -> Self {
        let is_machine_limited = machine::is_limited();
        let granted_bytes = if is_machine_limited {
            // Granted without asking, so that a process that starts near its limit can hold some
            // items.
            budget_bytes.min(limits::MACHINE_MARGIN_BYTES)
        } else {
            budget_bytes
        };
        Self {
            budget_bytes: AtomicU64::new(budget_bytes),
            granted_bytes: AtomicU64::new(granted_bytes),
            is_machine_limited,
            denials_left: AtomicU32::new(0),
            used_bytes: AtomicU64::new(0),
            unfinished: UnfinishedInputs::default(),
            output_bytes: AtomicU64::new(0),
            live_items: AtomicU64::new(0),
            tombstones: AtomicU64::new(0),
            tombstone_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn budget_bytes(&self) -> u64 {
        self.budget_bytes.load(RELAXED)
    }

    pub(super) fn set_budget_bytes(&self, bytes: u64) {
        self.budget_bytes.store(bytes, RELAXED);
        if self.is_machine_limited {
            self.granted_bytes.fetch_min(bytes, RELAXED);
        } else {
            self.granted_bytes.store(bytes, RELAXED);
        }
    }

    pub(crate) fn charge(&self, bytes: u64) {
        self.used_bytes.fetch_add(bytes, RELAXED);
    }

    /// Charges the bytes if they fit. If not, the account is not exceeded even for a moment:
    /// another thread would evict for that.
    pub(crate) fn try_charge(&self, bytes: u64) -> bool {
        let try_charge = || {
            let granted = self.granted_bytes.load(RELAXED);
            let charge = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= granted);
            let charged = self.used_bytes.fetch_update(RELAXED, RELAXED, charge);
            charged.is_ok()
        };
        bytes == 0 || try_charge() || (self.grant_more(bytes) && try_charge())
    }

    /// Grants more of the budget if the machine has memory for it. False if it has not, or if all
    /// of the budget is granted.
    pub(crate) fn grant_more(&self, bytes: u64) -> bool {
        let granted = self.granted_bytes.load(RELAXED);
        if granted >= self.budget_bytes() {
            return false;
        }
        let deny = |left: u32| left.checked_sub(1);
        let denied = self.denials_left.fetch_update(RELAXED, RELAXED, deny);
        if denied.is_ok() {
            return false;
        }
        let used = self.used_bytes.load(RELAXED);
        let wanted = used + bytes + limits::GRANT_BYTES;
        if !machine::has_room(wanted - used) {
            self.denials_left.store(limits::GRANT_DENIALS, RELAXED);
            return false;
        }
        let granted = wanted.min(self.budget_bytes());
        self.granted_bytes.fetch_max(granted, RELAXED);
        true
    }

    /// Counts the change of a slot.
    pub(crate) fn count_live(&self, was_live: bool, is_live: bool) {
        match (was_live, is_live) {
            (false, true) => _ = self.live_items.fetch_add(1, RELAXED),
            (true, false) => _ = self.live_items.fetch_sub(1, RELAXED),
            _ => {}
        }
    }

    /// Counts a tombstone that is put into a table.
    pub(super) fn add_tombstone(&self, item: &Item) {
        self.tombstones.fetch_add(1, RELAXED);
        self.tombstone_bytes.fetch_add(cost_bytes(item), RELAXED);
    }

    /// Counts a tombstone that has left its table.
    pub(super) fn remove_tombstone(&self, item: &Item) {
        self.tombstones.fetch_sub(1, RELAXED);
        self.tombstone_bytes.fetch_sub(cost_bytes(item), RELAXED);
    }

    pub(crate) fn refund(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, RELAXED);
    }

    pub(crate) fn is_over_budget(&self) -> bool {
        self.used_bytes.load(RELAXED) > self.granted_bytes.load(RELAXED)
    }

    pub(crate) fn tombstones_over_limit(&self) -> bool {
        self.tombstone_bytes.load(RELAXED) > self.budget_bytes() / limits::TOMBSTONE_SHARE
    }

    pub(crate) fn snapshot(&self) -> Memory {
        Memory {
            used_bytes: self.used_bytes.load(RELAXED),
            budget_bytes: self.budget_bytes(),
            unfinished_bytes: self.unfinished.bytes(),
            live_items: self.live_items.load(RELAXED),
            tombstones: self.tombstones.load(RELAXED),
        }
    }
}

/// The part of `-m` that is not for items: the empty tables, and the process itself.
pub(super) fn kept_bytes(limit_bytes: u64, shards: usize, replicated: bool) -> u64 {
    let tables_bytes = shards as u64 * limits::SHARD_OVERHEAD_BYTES;
    let process_bytes = (limit_bytes / limits::PROCESS_SHARE)
        .clamp(limits::PROCESS_BYTES_MIN, limits::PROCESS_BYTES_MAX);
    let link_bytes = if replicated {
        (limit_bytes / limits::LINK_PROCESS_SHARE).min(limits::PROCESS_BYTES_MAX)
    } else {
        0
    };
    tables_bytes + process_bytes + link_bytes
}

/// What an item costs: its size class and its part of the table and the expiry buckets.
pub(crate) fn cost_bytes(item: &Item) -> u64 {
    cost_of_allocation(item.allocated_bytes())
}

/// The cost of an item with an allocation of so many bytes.
pub(crate) fn cost_of_allocation(bytes: usize) -> u64 {
    (size_class_bytes(bytes) + limits::ENTRY_OVERHEAD_BYTES) as u64
}

/// The bytes jemalloc uses for a request: 16-byte steps up to 128, then four classes per doubling
/// up to 32 KiB, then whole pages.
pub const fn size_class_bytes(bytes: usize) -> usize {
    const PAGE_BYTES: usize = 4096;
    match bytes {
        0..=8 => 8,
        9..=128 => bytes.next_multiple_of(16),
        129..=32_768 => bytes.next_multiple_of(1 << ((bytes - 1).ilog2() - 2)),
        _ => bytes.next_multiple_of(PAGE_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::size_class_bytes;

    #[test]
    fn size_classes_are_four_to_a_doubling() {
        let classes = [
            (1, 8),
            (9, 16),
            (128, 128),
            (129, 160),
            (160, 160),
            (161, 192),
            (256, 256),
            (257, 320),
        ];
        for (asked, got) in classes {
            assert_eq!(size_class_bytes(asked), got, "{asked}");
        }
        assert_eq!(size_class_bytes(1103), 1280);
        assert_eq!(size_class_bytes(4175), 5120);
        assert_eq!(size_class_bytes(28_673), 32_768);
        assert_eq!(size_class_bytes(32_769), 36_864);
        assert_eq!(size_class_bytes(1 << 20), 1 << 20);
    }
}
