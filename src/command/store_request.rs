//! What a storage command asks for.

use crate::store::{Item, ItemHead};

/// What a storage command does with what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreMode {
    /// Store in any case.
    #[default]
    Set,
    /// Store only where nothing is.
    Add,
    /// Store only where something is.
    Replace,
    /// Put the value behind what is there.
    Append,
    /// Put the value before what is there.
    Prepend,
}

/// How a value is to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreRequest {
    /// What to do with what is there.
    pub mode: StoreMode,
    /// The CAS unique that must be there. `Set` and `Replace` store over nothing else; `Add`
    /// ignores it; to `Append` and `Prepend` 0 is any.
    pub compare: Option<u64>,
    /// The CAS unique that the item gets; else its stamp.
    pub cas: Option<u64>,
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// Boot-time milliseconds. What is appended to keeps its own.
    pub deadline_ms: u64,
    /// See [`crate::store::marks`].
    pub marks: u8,
    /// `Append` and `Prepend` store the value alone where nothing is.
    pub vivify: bool,
    /// A lower CAS unique than the one that is there stores, too, and marks the item as stale.
    pub accepts_stale: bool,
    /// A value that is too large or finds no memory removes what is there: old data would be worse.
    pub refusal_removes: bool,
}

impl StoreRequest {
    pub(super) fn joins(&self) -> bool {
        matches!(self.mode, StoreMode::Append | StoreMode::Prepend)
    }

    pub(super) fn is_cas(&self) -> bool {
        self.compare.is_some() && matches!(self.mode, StoreMode::Set | StoreMode::Replace)
    }

    /// What log lines call it.
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
            marks: self.marks,
            cas: self.cas,
        }
    }
}
