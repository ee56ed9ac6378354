//! The configuration of a store.

use super::classes::ClassPlan;

/// See the module.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Bytes of `-m`.
    pub limit_bytes: u64,
    /// Bytes of `-I`: header, key and value of one item together.
    pub item_bytes_max: usize,
    /// False for `-M`: refuse instead of evicting.
    pub evicting: bool,
    /// The secret of the keyed hash; the same on both nodes of a pair.
    pub hash_secret: [u8; 16],
    /// 0 or 1.
    pub side: u8,
    /// Whether there is a partner.
    pub replicated: bool,
    /// The classes of items, for statistics.
    pub classes: ClassPlan,
}

#[cfg(test)]
impl StoreConfig {
    /// 64 MiB of a node that is alone, with memcached's defaults.
    pub(crate) fn of_a_test() -> Self {
        Self {
            limit_bytes: 64 << 20,
            item_bytes_max: 1 << 20,
            evicting: true,
            hash_secret: [7; 16],
            side: 0,
            replicated: false,
            classes: ClassPlan::default(),
        }
    }
}
