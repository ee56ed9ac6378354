//! Records too large for one frame, under way in either direction.

use crate::limits::ORDERED_VALUE_BYTES_MAX;
use crate::store::{Incoming, Item, Shortage, Version};

/// One of our records, partly on the wire. Pins its value, even if the table no longer has it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) slot: u64,
    pub(super) item: Item,
    /// As announced: a touch changes the item in place.
    pub(super) version: Version,
    /// Bytes of the value on the wire.
    pub(super) offset: usize,
}

impl Outgoing {
    /// Whether this is still what the table holds.
    pub(super) fn is_current(&self, entry: Option<&Item>) -> bool {
        entry.is_some_and(|entry| {
            entry.version() == self.version && entry.is_tombstone() == self.item.is_tombstone()
        })
    }

    /// Whether later live records wait for its end.
    pub(super) fn keeps_order(&self) -> bool {
        self.item.value().len() <= ORDERED_VALUE_BYTES_MAX
    }
}

/// One of the partner's records, partly here.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) key: Box<[u8]>,
    pub(super) version: Version,
    pub(super) value_len_bytes: usize,
    /// Bytes of the value that arrived.
    pub(super) offset: usize,
    /// Without room for it the pieces are counted and dropped.
    pub(super) incoming: Result<Incoming, Shortage>,
}

impl Inbound {
    /// Takes the next bytes of the value. False if they are more than were announced.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.value_len_bytes - self.offset {
            return false;
        }
        self.offset += bytes.len();
        self.incoming
            .as_mut()
            .map_or(true, |incoming| incoming.push(bytes))
    }
}
