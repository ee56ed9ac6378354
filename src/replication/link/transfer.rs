//! Records too large for one frame, under way in either direction.

use crate::limits::ORDERED_VALUE_BYTES_MAX;
use crate::replication::wire::Lane;
use crate::store::{Item, PartialItem, RefuseReason, Version};

/// One of our records, partly on the wire. Pins its value, even if the table no longer has it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) slot: u64,
    pub(super) item: Item,
    /// As announced: a touch changes the item in place.
    pub(super) version: Version,
    /// Bytes of the value on the wire.
    pub(super) offset: usize,
    /// The key has changed since: its record goes once more when this one has ended.
    pub(super) resend: bool,
    /// The partner sent a record of the key since.
    pub(super) partner_updated: bool,
}

impl Outgoing {
    /// A record of which `offset` bytes of the value are on the wire.
    pub(super) fn begun(slot: u64, item: Item, version: Version, offset: usize) -> Self {
        Self {
            slot,
            item,
            version,
            offset,
            resend: false,
            partner_updated: false,
        }
    }

    /// Whether its pieces may go on, now that the table holds `entry`: what replaced it will
    /// follow. A value that changes more often than it can travel would never arrive otherwise.
    ///
    /// But what was removed ends it, and so does a replacement if the partner had a say: once the
    /// partner knows that its newer record of the key was applied here, it may forget that record,
    /// and our last piece would bring back what it had replaced.
    pub(super) fn may_continue(&self, lane: Lane, entry: Option<&Item>) -> bool {
        let Some(entry) = entry else { return false };
        let replaced = || {
            lane == Lane::Live
                && !self.partner_updated
                && !entry.is_tombstone()
                && entry.key() == self.item.key()
        };
        entry.is_same(&self.item) || replaced()
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
    pub(super) partial: Result<PartialItem, RefuseReason>,
}

impl Inbound {
    /// Takes the next bytes of the value. False if they are more than were announced.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.value_len_bytes - self.offset {
            return false;
        }
        self.offset += bytes.len();
        self.partial
            .as_mut()
            .map_or(true, |partial| partial.push(bytes))
    }
}
