//! Records which live items a node evicts.

use parking_lot::Mutex;

use super::clocks::Clocks;
use super::content::Content;
use super::model::which_of;
use crate::store::{Item, ItemSummary, Miss, Now, Observer, StoreEventView, Version};

/// The evictions since they were last taken.
#[derive(Debug)]
pub(super) struct Evictions {
    clocks: Clocks,
    evicted: Mutex<Vec<Evicted>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Evicted {
    pub(super) which: usize,
    pub(super) version: Version,
    pub(super) content: Content,
}

impl Evictions {
    /// Those of a process on the machine with these clocks.
    pub(super) fn on(clocks: Clocks) -> Self {
        Self {
            clocks,
            evicted: Mutex::default(),
        }
    }

    /// All of them, oldest first.
    pub(super) fn take(&self) -> Vec<Evicted> {
        std::mem::take(&mut self.evicted.lock())
    }
}

impl Observer for Evictions {
    fn looked_up(&self, _key: &[u8], _found: Result<ItemSummary, Miss>) {}

    fn stored(&self, _storing: &StoreEventView<'_>) {}

    fn deleted(&self, _key: &[u8], _command: &str, _seen: ItemSummary) {}

    fn evicted(&self, item: &Item, _now: Now) {
        // Not the item itself: it would count as memory in use.
        self.evicted.lock().push(Evicted {
            which: which_of(item.key()),
            version: item.version(),
            content: Content::of(item, &self.clocks),
        });
    }
}
