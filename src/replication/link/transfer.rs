//! Records that need several frames, in either direction.

use crate::limits::sizes;
use crate::replication::wire::{Lane, first_value_bytes};
use crate::rules::{Rule, holds};
use crate::store::{Item, Now, PartialItem, RefuseReason, Version};

/// Whether the record of an item needs more than one frame. An expired one is sent as a tombstone.
pub(super) fn is_large(item: &Item, now: Now) -> bool {
    let has_value = !item.is_tombstone() && !item.is_expired(now);
    has_value && item.value().len() > first_value_bytes(item.key())
}

/// A record of this node, partly on the wire. It keeps the value alive even if the table no longer
/// holds it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) slot: u64,
    pub(super) item: Item,
    /// The version in the first frame: a touch changes the item in place.
    pub(super) version: Version,
    /// Bytes of the value on the wire.
    pub(super) offset: usize,
    /// The entry has changed since: its record is sent again once this transfer has ended.
    pub(super) resend: bool,
    /// The partner has sent a record of the key since.
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

    /// Whether more chunks may be sent while the table holds `entry`.
    ///
    /// In the live lane a replaced value may: it is sent again afterwards, and a value that changes
    /// more often than it can be sent would otherwise never arrive. A removed one may not. Nor may
    /// a replaced one if the partner has sent a record of the key: once the partner reads our ack
    /// it may forget that record (a confirmed tombstone), and our last chunk would bring the old
    /// value back.
    pub(super) fn may_continue(&self, lane: Lane, entry: Option<&Item>) -> bool {
        let Some(entry) = entry else { return false };
        let replaced = || {
            lane == Lane::Live
                && !(self.partner_updated && holds(Rule::PartnerRecordEndsTransfer))
                && !(entry.is_tombstone() && holds(Rule::RemovalEndsTransfer))
                && entry.key() == self.item.key()
        };
        entry.is_same(&self.item) || replaced()
    }

    /// Whether all of the value is on the wire.
    pub(super) fn is_finished(&self) -> bool {
        self.offset >= self.item.value().len()
    }

    /// Whether later live records wait for its end, so that they arrive in the order of their
    /// writing.
    pub(super) fn keeps_order(&self) -> bool {
        self.item.value().len() <= sizes().ordered_value_bytes_max
    }
}

/// A record of the partner, partly received.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) key: Box<[u8]>,
    pub(super) version: Version,
    pub(super) value_len_bytes: usize,
    /// Bytes of the value received.
    pub(super) offset: usize,
    /// A refused record: its chunks are counted and dropped.
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
