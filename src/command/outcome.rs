//! The outcome of storing, and the `watch` events of storing and deleting.

use super::context::CommandContext;
use crate::store::{ItemSummary, Miss, NEVER, StoreEventView, Timestamp};

/// The outcome of a storage command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The item is stored, or was removed at once because its deadline has passed.
    Stored {
        /// Its CAS unique; 0 if CAS is disabled.
        cas: u64,
        /// The length of the whole value.
        value_len: usize,
    },
    /// The condition did not hold.
    NotStored,
    /// Another version is there.
    Exists,
    /// Nothing is there.
    NotFound,
    /// Larger than `-I`.
    TooLarge,
    /// No memory.
    NoMemory,
}

impl Stored {
    /// Its name in `watch` events.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stored { .. } => STORED,
            Self::NotStored => "not_stored",
            Self::Exists => "exists",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::NoMemory => "no_memory",
        }
    }
}

/// The timestamp of the new item or why there is none, and why the lookup missed.
pub(super) type Put = (Result<Option<Timestamp>, Stored>, Option<Miss>);

/// The name of success in `watch` events.
pub(super) const STORED: &str = "stored";

/// The `watch` event of a storage command.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreEvent {
    pub(super) command: &'static str,
    /// Boot-time milliseconds.
    pub(super) deadline_ms: u64,
    pub(super) seen: ItemSummary,
}

impl CommandContext<'_> {
    /// Emits the event of a storage command; `status` is [`STORED`] or why it was not.
    pub(super) fn tell_stored(&self, key: &[u8], status: &'static str, event: StoreEvent) {
        let Some(observer) = &self.op.observer else {
            return;
        };
        let ttl_secs = match event.deadline_ms {
            NEVER => 0,
            // Shown unsigned, as there, when it has passed.
            deadline_ms => self.now().secs_until(deadline_ms) as u32,
        };
        observer.stored(&StoreEventView {
            key,
            status,
            command: event.command,
            ttl_secs,
            item: event.seen,
        });
    }

    /// Emits the event of a deletion.
    pub(super) fn tell_deleted(&self, key: &[u8], command: &'static str, seen: ItemSummary) {
        if let Some(observer) = &self.op.observer {
            observer.deleted(key, command, seen);
        }
    }
}
