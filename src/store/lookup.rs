//! What looking a key up came to.

/// Why a key was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is not there.
    Absent,
    /// Its deadline has passed.
    Expired,
    /// A flush has invalidated it.
    Flushed,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookupState {
    Live,
    /// An item that is expired or flushed: it must be removed.
    Dead,
    /// No entry, or a tombstone.
    Nothing,
}
