//! What storing comes to, and the events that `watch` shows of it.

use super::context::CommandContext;
use crate::store::{NEVER, Seen, Storing};

/// What became of a storage command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the table, or was removed at once because its deadline has passed.
    Stored {
        /// Its CAS unique; 0 on a node without.
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
    /// As log lines call it.
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

/// As log lines call what was stored.
pub(super) const STORED: &str = "stored";

/// What a storage command is called, and what it is about to store.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreEvent {
    pub(super) command: &'static str,
    /// Boot-time milliseconds.
    pub(super) deadline_ms: u64,
    pub(super) seen: Seen,
}

impl CommandContext<'_> {
    /// Tells whoever watches how a storage command has ended: with [`STORED`] or another word.
    pub(super) fn tell_stored(&self, key: &[u8], status: &'static str, event: StoreEvent) {
        let Some(witness) = &self.batch.witness else {
            return;
        };
        let ttl_secs = match event.deadline_ms {
            NEVER => 0,
            // Shown unsigned, as there, when it has passed.
            deadline_ms => self.now().secs_until(deadline_ms) as u32,
        };
        witness.stored(&Storing {
            key,
            status,
            command: event.command,
            ttl_secs,
            seen: event.seen,
        });
    }

    /// Tells whoever watches of a deletion.
    pub(super) fn tell_deleted(&self, key: &[u8], command: &'static str, seen: Seen) {
        if let Some(witness) = &self.batch.witness {
            witness.deleted(key, command, seen);
        }
    }
}
