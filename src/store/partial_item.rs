//! The item of a record of the partner, which may arrive in chunks.

use std::sync::Arc;

use super::Store;
use super::hlc::Version;
use super::item::Item;
use super::memory::{cost_bytes, cost_of_allocation};
use super::op_context::OpContext;
use super::record::{Origin, RecordHead, RefuseReason};
use super::relief::{self, FailedAllocation};
use super::shared::Shared;

/// See the module.
#[derive(Debug)]
pub struct PartialItem {
    shared: Arc<Shared>,
    item: Option<Item>,
    filled_bytes: usize,
    /// The part of its cost that is charged already.
    pub(super) charged_bytes: u64,
    pub(super) version: Version,
}

impl PartialItem {
    /// Appends bytes of the value. False if they exceed its length; the rest is ignored.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let taken = bytes.len().min(self.missing_bytes());
        let start = self.filled_bytes;
        if let Some(item) = &mut self.item {
            item.with_value_mut(|value| {
                value[start..start + taken].copy_from_slice(&bytes[..taken]);
            });
        }
        self.filled_bytes += taken;
        taken == bytes.len()
    }

    /// Bytes of the value that are still missing.
    pub fn missing_bytes(&self) -> usize {
        self.item.as_ref().map_or(0, |item| item.value().len()) - self.filled_bytes
    }

    pub(super) fn finish(&mut self) -> Option<Item> {
        self.item.take()
    }
}

impl Drop for PartialItem {
    fn drop(&mut self) {
        if self.finish().is_some() {
            self.shared.account.refund(self.charged_bytes);
        }
    }
}

impl Store {
    /// Allocates the item of a record, which may arrive in chunks.
    ///
    /// A live record is charged in full, and evicts when it is applied. A record of a sync may
    /// not evict: it is charged what it needs beyond the entry it replaces, or refused if that is
    /// over the budget, because other threads would evict for it. Items evicted because the machine
    /// has no memory are in the context.
    pub fn partial_item(
        &self,
        key: &[u8],
        head: &RecordHead,
        value_len: usize,
        origin: Origin,
        context: &mut OpContext,
    ) -> Result<PartialItem, RefuseReason> {
        if value_len > self.item_bytes_max {
            return Err(RefuseReason::TooLarge);
        }
        let account = &self.shared.account;
        let item_head = head.item_head();
        let cost = cost_of_allocation(Item::bytes_to_allocate(key, &item_head, value_len));
        let reason = RefuseReason::Memory { bytes: cost };
        let charged_bytes = if self.may_evict_for(origin) {
            account.charge(cost);
            cost
        } else {
            let more = cost.saturating_sub(self.cost_of_entry(key));
            account.try_charge(more).then_some(more).ok_or(reason)?
        };
        let class = self.class_of(key, &item_head, value_len);
        let allocate = || {
            let item = self.machine_allocates(key, &item_head, value_len);
            if item.is_none() && self.may_evict_for(origin) {
                relief::note(FailedAllocation { bytes: cost, class });
            }
            item
        };
        let allocated = self.retry(context, |context| context, |_| allocate(), Option::is_none);
        let Some(item) = allocated else {
            account.refund(charged_bytes);
            return Err(reason);
        };
        item.set_class(class);
        if !self.has_cas {
            item.hide_cas();
        }
        item.set_version(head.version);
        let shared = Arc::clone(&self.shared);
        Ok(PartialItem {
            shared,
            item: Some(item),
            filled_bytes: 0,
            charged_bytes,
            version: head.version,
        })
    }

    /// Bytes that the entry of a key takes; 0 if there is none.
    fn cost_of_entry(&self, key: &[u8]) -> u64 {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard(hash.slot()).lock();
        shard
            .find(hash, key)
            .map_or(0, |(_, item)| cost_bytes(item))
    }
}
