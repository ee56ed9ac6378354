//! Records of the partner, and what becomes of them.

use super::hlc::Version;
use super::item::{Item, ItemHead, NEVER};

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The live lane: writes of the partner's clients. They enter at the hot end and may evict.
    Live,
    /// The sync lane: a sync of the partner. Its items enter at the cold end and never evict.
    Sync,
}

/// The result of applying a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyResult {
    /// This node's table holds it.
    Applied,
    /// This node's table holds something newer.
    Superseded(Version),
    /// Of a touch: this node does not hold its value, and needs the whole record.
    Lacking,
    /// It was refused. An older version was removed nevertheless.
    NoRoom(RefuseReason),
}

/// Why a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseReason {
    /// It is over `-I`, however much memory there is.
    TooLarge,
    /// There is no memory for it.
    Memory {
        /// Bytes that must be free.
        bytes: u64,
    },
}

/// A record without its key and value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHead {
    /// The version: of two records the higher one wins.
    pub version: Version,
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// See [`super::item_flags`].
    pub item_flags: u8,
    /// A CAS unique set by a client.
    pub cas: Option<u64>,
    /// Milliseconds on the boot-time clock of the node that reads it; `None` for ever.
    pub deadline_ms: Option<u64>,
}

impl RecordHead {
    /// The head of an item; the deadline is on this node's clock.
    pub fn of(item: &Item) -> Self {
        // Read before the deadline, because a touch sets the deadline first.
        let version = item.version();
        Self {
            version,
            client_flags: item.client_flags(),
            item_flags: item.item_flags(),
            cas: item.cas_override(),
            deadline_ms: Some(item.deadline_ms()).filter(|&deadline_ms| deadline_ms != NEVER),
        }
    }

    pub(super) fn item_head(&self) -> ItemHead {
        ItemHead {
            client_flags: self.client_flags,
            deadline_ms: self.deadline_ms.unwrap_or(NEVER),
            item_flags: self.item_flags,
            cas: self.cas,
        }
    }
}
