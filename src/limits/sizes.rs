//! Bounds that tests make smaller, so that a short history of small values reaches them.
//!
//! Outside tests [`sizes`] is a constant. In tests it belongs to the thread, and is
//! [`Sizes::PRODUCTION`] unless that thread has called [`set_sizes`].

use super::{
    ASK_KEYS_MAX, BATCH_KEYS_MAX, BUCKET_BITS, BULK_WINDOW_BYTES_MAX, BULK_WINDOW_BYTES_MIN,
    CHANGE_QUEUE_BATCHES_MAX, CHANGE_QUEUE_KEYS_MIN, DIRTY_KEYS_MAX, DIRTY_KEYS_MIN,
    FRAME_BYTES_MAX, IN_FLIGHT_MAX, IN_FLIGHT_MIN, LIVE_WINDOW_BYTES, ONE_FRAME_VALUE_BYTES,
    ORDERED_VALUE_BYTES_MAX, PROMOTIONS_MAX, SHARD_BITS_MIN, SYNC_BURST_BYTES, SYNC_SHARE_BYTES,
    SYNC_WINDOW_BYTES,
};

/// Each field is the constant of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) frame_bytes_max: usize,
    pub(crate) one_frame_value_bytes: usize,
    pub(crate) live_window_bytes: usize,
    pub(crate) bulk_window_bytes_min: usize,
    pub(crate) bulk_window_bytes_max: usize,
    pub(crate) sync_window_bytes: usize,
    pub(crate) sync_burst_bytes: usize,
    pub(crate) sync_share_bytes: usize,
    pub(crate) ordered_value_bytes_max: usize,
    pub(crate) in_flight_min: usize,
    pub(crate) in_flight_max: usize,
    pub(crate) dirty_keys_min: usize,
    pub(crate) dirty_keys_max: usize,
    pub(crate) batch_keys_max: usize,
    pub(crate) promotions_max: usize,
    pub(crate) change_queue_batches_max: usize,
    pub(crate) change_queue_keys_min: usize,
    pub(crate) shard_bits_min: u32,
    pub(crate) bucket_bits: u32,
    pub(crate) ask_keys_max: usize,
}

impl Sizes {
    /// Those of a server.
    pub(crate) const PRODUCTION: Self = Self {
        frame_bytes_max: FRAME_BYTES_MAX,
        one_frame_value_bytes: ONE_FRAME_VALUE_BYTES,
        live_window_bytes: LIVE_WINDOW_BYTES,
        bulk_window_bytes_min: BULK_WINDOW_BYTES_MIN,
        bulk_window_bytes_max: BULK_WINDOW_BYTES_MAX,
        sync_window_bytes: SYNC_WINDOW_BYTES,
        sync_burst_bytes: SYNC_BURST_BYTES,
        sync_share_bytes: SYNC_SHARE_BYTES,
        ordered_value_bytes_max: ORDERED_VALUE_BYTES_MAX,
        in_flight_min: IN_FLIGHT_MIN,
        in_flight_max: IN_FLIGHT_MAX,
        dirty_keys_min: DIRTY_KEYS_MIN,
        dirty_keys_max: DIRTY_KEYS_MAX,
        batch_keys_max: BATCH_KEYS_MAX,
        promotions_max: PROMOTIONS_MAX,
        change_queue_batches_max: CHANGE_QUEUE_BATCHES_MAX,
        change_queue_keys_min: CHANGE_QUEUE_KEYS_MIN,
        shard_bits_min: SHARD_BITS_MIN,
        bucket_bits: BUCKET_BITS,
        ask_keys_max: ASK_KEYS_MAX,
    };

    /// The number of buckets of keys.
    pub(crate) const fn buckets(&self) -> usize {
        1 << self.bucket_bits
    }
}

/// The sizes in use.
#[cfg(not(test))]
pub(crate) const fn sizes() -> Sizes {
    Sizes::PRODUCTION
}

#[cfg(test)]
thread_local! {
    static SIZES: std::cell::Cell<Sizes> = const { std::cell::Cell::new(Sizes::PRODUCTION) };
}

/// The sizes in use on this thread.
#[cfg(test)]
pub(crate) fn sizes() -> Sizes {
    SIZES.get()
}

/// Makes this thread use other sizes for what it creates from now on.
#[cfg(test)]
pub(crate) fn set_sizes(sizes: Sizes) {
    SIZES.set(sizes);
}
