//! The request of a storage command.

use crate::store::{Item, ItemHead};
pub use crate::store_mode::StoreMode;

/// How a value is to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreRequest {
    /// How the stored item is treated.
    pub mode: StoreMode,
    /// The CAS unique that the stored item must have: `Set` and `Replace` become `cas`, `Add`
    /// ignores it, `Append` and `Prepend` take 0 as any.
    pub compare: Option<u64>,
    /// The CAS unique of the new item; by default its timestamp.
    pub cas: Option<u64>,
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// Boot-time milliseconds. `Append` and `Prepend` keep the deadline of the item.
    pub deadline_ms: u64,
    /// See [`crate::store::item_flags`].
    pub item_flags: u8,
    /// `Append` and `Prepend` create a missing item.
    pub vivify: bool,
    /// A CAS unique lower than the item's stores, too, and marks the new item as stale.
    pub accepts_stale: bool,
    /// If the value is too large or there is no memory, the stored item is removed: outdated data
    /// would be worse.
    pub refusal_removes: bool,
}

impl StoreRequest {
    pub(super) fn joins(&self) -> bool {
        matches!(self.mode, StoreMode::Append | StoreMode::Prepend)
    }

    pub(super) fn is_cas(&self) -> bool {
        self.compare.is_some() && matches!(self.mode, StoreMode::Set | StoreMode::Replace)
    }

    /// Its name in `watch` events.
    pub(super) fn name(&self) -> &'static str {
        match self.mode {
            _ if self.is_cas() => "cas",
            StoreMode::Set => "set",
            StoreMode::Add => "add",
            StoreMode::Replace => "replace",
            StoreMode::Append => "append",
            StoreMode::Prepend => "prepend",
        }
    }

    /// Whether a lower CAS unique stores: the value is old, but better than none.
    pub(super) fn is_stale(&self, wanted: u64, item: &Item) -> bool {
        self.accepts_stale && (1..item.cas()).contains(&wanted)
    }

    pub(super) fn head(&self) -> ItemHead {
        ItemHead {
            client_flags: self.client_flags,
            deadline_ms: self.deadline_ms,
            item_flags: self.item_flags,
            cas: self.cas,
        }
    }
}
