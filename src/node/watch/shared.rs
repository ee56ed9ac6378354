//! What the watchers share with the event logs.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use crate::protocol::text::Events;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The events that some client watches.
    pub(super) events: AtomicU16,
    /// The number of the last line.
    pub(super) lines: AtomicU64,
}

impl Shared {
    /// The events that some client watches.
    pub(super) fn events(&self) -> Events {
        Events(self.events.load(Ordering::Relaxed))
    }
}
