//! Records which live items a node evicts.

use parking_lot::Mutex;

use crate::store::{Item, ItemSummary, Miss, Now, Observer, StoreEventView, Version};

/// The evictions since they were last taken.
#[derive(Debug, Default)]
pub(super) struct Evictions(Mutex<Vec<(Box<[u8]>, Version)>>);

impl Evictions {
    /// Key and version of each, oldest first.
    pub(super) fn take(&self) -> Vec<(Box<[u8]>, Version)> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Observer for Evictions {
    fn looked_up(&self, _key: &[u8], _found: Result<ItemSummary, Miss>) {}

    fn stored(&self, _storing: &StoreEventView<'_>) {}

    fn deleted(&self, _key: &[u8], _command: &str, _seen: ItemSummary) {}

    fn evicted(&self, item: &Item, _now: Now) {
        self.0.lock().push((item.key().into(), item.version()));
    }
}
