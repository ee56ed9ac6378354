//! What happened to entries without a client asking for it.

use std::sync::atomic::AtomicU64;

/// Counts since the start (or the last `stats reset`).
#[derive(Debug, Default)]
pub struct Counters {
    /// Live items removed to make room.
    pub evictions: AtomicU64,
    /// Evicted items that no client had read.
    pub evicted_unfetched: AtomicU64,
    /// Expired items whose memory was taken back by a set or an eviction.
    pub reclaimed: AtomicU64,
    /// Expired items that no client had read.
    pub expired_unfetched: AtomicU64,
    /// Deletions forgotten before the partner confirmed them, for want of memory.
    pub tombstones_dropped: AtomicU64,
    /// Records of the partner refused for want of memory.
    pub records_refused: AtomicU64,
    /// Keys given up because eight live keys shared their 64-bit hash.
    pub collisions_evicted: AtomicU64,
}
