//! What one turn of a connection (or of the link, or of housekeeping) carries along.

use std::sync::Arc;

use super::clock::Now;
use super::item::Item;
use super::observer::Observer;

/// The moment of a turn and what its changes leave to do after the locks are released.
#[derive(Debug, Default)]
pub struct OpContext {
    /// The moment; taken once per turn.
    pub now: Now,
    /// Slots of entries that the partner must be sent, in the order of their changes.
    pub dirty: Vec<u64>,
    /// Slots of entries that were promoted by a hit.
    pub promoted: Vec<u64>,
    /// Everything was flushed, which changes no entry.
    pub flushed: bool,
    /// The class of the live item that was last met.
    pub found_class: u8,
    /// Entries that left the table; freed outside the locks.
    pub(crate) retired: Vec<Item>,
    /// The shard that was last written to.
    pub(crate) written: Option<usize>,
    /// Who is told what happens to items, if anybody.
    pub observer: Option<Arc<dyn Observer>>,
    /// What happens is no client's doing.
    pub(crate) is_background: bool,
}

impl OpContext {
    /// Whether it holds changes that the partner must be sent.
    pub fn has_changes(&self) -> bool {
        self.flushed || !self.dirty.is_empty()
    }

    /// An empty context at a moment, of the link or of housekeeping.
    pub fn at(now: Now) -> Self {
        Self {
            now,
            is_background: true,
            ..Self::default()
        }
    }
}
