//! Items that are allocated but not in the table yet. The memory account counts them from their
//! allocation on.

use std::sync::atomic::Ordering;

use super::Store;
use super::classes::{CAS_BYTES, item_bytes};
use super::item::{Item, ItemHead};
use super::memory::{cost_bytes, cost_of_allocation};
use super::observer::ItemSummary;
use super::relief::{self, FailedAllocation};
use super::shared::Shared;

/// There is no memory for the item: under `-M`, or because the machine has none. Clients get
/// `SERVER_ERROR out of memory storing object`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for the item")]
pub struct NoRoom;

/// An item that is filled and put within one turn.
#[derive(Debug)]
pub struct PendingItem<'s> {
    shared: &'s Shared,
    /// `None` once it is in the table.
    item: Option<Item>,
}

impl PendingItem<'_> {
    /// Calls `fill` with the value, which is zeroed.
    pub fn fill(&mut self, fill: impl FnOnce(&mut [u8])) {
        if let Some(item) = &mut self.item {
            item.with_value_mut(fill);
        }
    }

    /// Sets another deadline and other item flags.
    pub fn amend(&self, deadline_ms: u64, item_flags: u8) {
        if let Some(item) = &self.item {
            item.set_deadline_ms(deadline_ms);
            item.set_item_flags(item_flags);
        }
    }

    /// Counts the item as read, because the client that wrote it is also shown it.
    pub fn count_as_read(&self) {
        if let Some(item) = &self.item {
            item.mark_fetched(0);
        }
    }

    /// Copies from `old` whether and when it was last read.
    pub fn keep_history_of(&self, old: &Item) {
        if let Some(item) = &self.item {
            item.set_history_of(old);
        }
    }

    /// What log lines show of it.
    pub fn summary(&self) -> ItemSummary {
        self.item.as_ref().map(ItemSummary::of).unwrap_or_default()
    }

    /// The class of the item.
    pub fn class(&self) -> u8 {
        self.item.as_ref().map_or(0, Item::class)
    }

    pub(super) fn into_item(mut self) -> Option<Item> {
        self.item.take()
    }
}

impl Drop for PendingItem<'_> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.shared.account.refund(cost_bytes(&item));
        }
    }
}

impl Store {
    /// Whether a client's item is within `-I`, counted as memcached counts it.
    pub fn fits(&self, key_len: usize, client_flags: u32, value_len: usize) -> bool {
        item_bytes(key_len, client_flags, value_len) <= self.item_bytes_max
    }

    /// Allocates an item to be filled within this turn.
    pub fn pending_item(
        &self,
        key: &[u8],
        head: &ItemHead,
        value_len: usize,
    ) -> Result<PendingItem<'_>, NoRoom> {
        Ok(self.pending_item_of(Some(self.allocate(key, head, value_len)?)))
    }

    /// Wraps an item that is allocated and charged.
    pub(super) fn pending_item_of(&self, item: Option<Item>) -> PendingItem<'_> {
        PendingItem {
            shared: &self.shared,
            item,
        }
    }

    /// Allocates an item and charges it. Charged first: under `-M` nothing may exceed the budget.
    pub(super) fn allocate(
        &self,
        key: &[u8],
        head: &ItemHead,
        value_len: usize,
    ) -> Result<Item, NoRoom> {
        let account = &self.shared.account;
        let class = self.class_of(key, head, value_len);
        let cost = cost_of_allocation(Item::bytes_to_allocate(key, head, value_len));
        if self.shared.evicting {
            account.charge(cost);
        } else if !account.try_charge(cost) {
            return Err(self.refuse_item(class));
        }
        let item = self
            .machine_allocates(key, head, value_len)
            .ok_or_else(|| {
                account.refund(cost);
                relief::note(FailedAllocation { bytes: cost, class });
                NoRoom
            })?;
        item.set_class(class);
        if !self.has_cas {
            item.hide_cas();
        }
        Ok(item)
    }

    /// The slab class of an item with this key and value.
    pub fn class_of(&self, key: &[u8], head: &ItemHead, value_len: usize) -> u8 {
        let bytes = item_bytes(key.len(), head.client_flags, value_len);
        let bytes = if self.has_cas {
            bytes
        } else {
            bytes - CAS_BYTES
        };
        self.shared.classes.of(bytes)
    }

    /// `None` if the machine has no memory.
    #[inline(always)]
    pub(super) fn machine_allocates(
        &self,
        key: &[u8],
        head: &ItemHead,
        value_len: usize,
    ) -> Option<Item> {
        #[cfg(test)]
        if self.memory().used_bytes > self.shared.machine_bytes.load(Ordering::Relaxed) {
            return None;
        }
        Item::allocate(key, head, value_len)
    }

    #[cold]
    fn refuse_item(&self, class: u8) -> NoRoom {
        self.count_refused(class);
        NoRoom
    }

    pub(super) fn count_refused(&self, class: u8) {
        let counter = &self.shared.counters.class(class).out_of_memory;
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
