//! The storage commands that all protocols have.

/// How a storage command treats the item that is stored under its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreMode {
    /// Store unconditionally.
    #[default]
    Set,
    /// Store only if the key has no item.
    Add,
    /// Store only if the key has an item.
    Replace,
    /// Append the value to the item's.
    Append,
    /// Prepend the value to the item's.
    Prepend,
}
