//! The bounds of the queue. Each has the name of the server's; a few keys reach it.

pub(crate) const ASK_QUEUE_MAX: usize = 1;
pub(crate) const CHANGE_QUEUE_KEYS_SHARE: u64 = 1;
pub(crate) const CHANGE_QUEUE_PROMOTIONS_MAX: usize = 1;
pub(crate) const CHANGE_QUEUE_SPARES_MAX: usize = 1;
pub(crate) const CHANGE_QUEUE_WAKE_BATCHES: usize = 2;
pub(crate) const CHANGE_QUEUE_WAKE_KEYS: usize = 3;
pub(crate) const SPARE_GROUPS_KEPT: usize = 1;
pub(crate) const LARGE_ACK_TIMEOUT_MS: u64 = 90;

/// Those that the server's own tests make smaller, too.
pub(crate) struct Sizes {
    pub(crate) batch_keys_max: usize,
    pub(crate) change_queue_batches_max: usize,
    pub(crate) change_queue_keys_min: usize,
}

impl Sizes {
    /// One word of a set.
    pub(crate) fn buckets(&self) -> usize {
        64
    }
}

pub(crate) fn sizes() -> Sizes {
    Sizes {
        batch_keys_max: 4,
        change_queue_batches_max: 2,
        change_queue_keys_min: 1,
    }
}
