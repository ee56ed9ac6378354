//! The context of store operations during one turn of a connection, the link or housekeeping.

use std::sync::Arc;

use super::clock::Now;
use super::eviction_notices::Evicted;
use super::item::Item;
use super::knowledge::Consultation;
use super::lookup::Miss;
use super::observer::{ItemSummary, Observer};

/// The time of a turn, and what its changes leave to do once the locks are released.
#[derive(Debug, Default)]
pub struct OpContext {
    /// The time; read once per turn.
    pub now: Now,
    /// Slots of entries to send to the partner, in the order of their changes.
    pub dirty: Vec<u64>,
    /// Those of them whose value needs more than one frame of the link. The turn ends with the
    /// command that wrote them.
    pub large: Vec<u64>,
    /// Slots of entries that were promoted by a hit.
    pub promoted: Vec<u64>,
    /// A flush happened. It changes no entry, so nothing is dirty by it.
    pub flushed: bool,
    /// What the next command of the client must know of the partner's table.
    pub consultation: Consultation,
    /// The class of the live item that the last lookup found.
    pub found_class: u8,
    /// Items that were evicted and that the partner counts on.
    pub(crate) evicted: Vec<Evicted>,
    /// Entries that left the table, to be freed without a lock.
    pub(crate) retired: Vec<Item>,
    /// The shard that was last written to.
    pub(crate) written: Option<usize>,
    /// Told what commands do to items, while a client watches.
    pub observer: Option<Arc<dyn Observer>>,
    /// No client's command runs in it.
    pub(crate) is_background: bool,
}

impl OpContext {
    /// Whether it holds changes to send to the partner.
    pub fn has_changes(&self) -> bool {
        self.flushed || !self.dirty.is_empty()
    }

    /// An empty context of the link or of housekeeping.
    pub fn at(now: Now) -> Self {
        Self {
            now,
            is_background: true,
            ..Self::default()
        }
    }

    /// Does something without reporting it.
    pub(crate) fn without_observer<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let observer = self.observer.take();
        let result = act(self);
        self.observer = observer;
        result
    }

    pub(super) fn report_lookup(&self, key: &[u8], found: Result<ItemSummary, Miss>) {
        if let Some(observer) = &self.observer {
            observer.looked_up(key, found);
        }
    }
}
