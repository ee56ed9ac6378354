//! Notes which live items a node evicts.

use parking_lot::Mutex;

use crate::store::{Item, Miss, Now, Seen, Storing, Version, Witness};

/// The evictions since they were last taken.
#[derive(Debug, Default)]
pub(super) struct Evictions(Mutex<Vec<(Box<[u8]>, Version)>>);

impl Evictions {
    /// Key and version of each, oldest first.
    pub(super) fn take(&self) -> Vec<(Box<[u8]>, Version)> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Witness for Evictions {
    fn looked_up(&self, _key: &[u8], _found: Result<Seen, Miss>) {}

    fn stored(&self, _storing: &Storing<'_>) {}

    fn deleted(&self, _key: &[u8], _command: &str, _seen: Seen) {}

    fn evicted(&self, item: &Item, _now: Now) {
        self.0.lock().push((item.key().into(), item.version()));
    }
}
