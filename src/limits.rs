//! Every bound of the server, with what happens at it, asserted against the others.

// --- store ---

/// Bytes of `-m` per shard: keeps the growth and the walk of one shard under half a millisecond.
pub const SHARD_BYTES: u64 = 256 << 10;
/// Shards of the smallest store, as a power of two.
pub const SHARD_BITS_MIN: u32 = 8;
/// Shards of the largest store, as a power of two.
pub const SHARD_BITS_MAX: u32 = 14;
/// What an entry takes in table, LRU list and expiry wheel beside its own allocation.
pub const ENTRY_OVERHEAD_BYTES: usize = 80;
/// What an empty shard takes.
pub const SHARD_OVERHEAD_BYTES: u64 = 512;
/// A key has 1 to this many bytes; longer ones are a client error.
pub const KEY_BYTES: usize = 250;
/// Unfinished items may hold one part in this many of memory; then large values are refused.
pub const UNFINISHED_SHARE: u64 = 8;
/// A value above this size is refused when unfinished items hold their share.
pub const UNFINISHED_SMALL_BYTES: usize = 64 << 10;
/// Tombstones may hold one part in this many of memory; then the oldest goes and is counted.
pub const TOMBSTONE_SHARE: u64 = 8;
/// Tombstones met at the cold end that one eviction promotes and skips.
pub const TOMBSTONES_SKIPPED: usize = 8;
/// Shards whose coldest items are compared for one eviction.
pub const EVICTION_SAMPLE: usize = 4;
/// Entries that one hold of a shard's lock may expire.
pub const EXPIRY_STEP_ENTRIES: usize = 64;
/// A hit promotes at the latest when the last promotion is this old.
pub const PROMOTION_MS_MAX: u64 = 60_000;
/// Tries to append to a value outside its shard's lock before it is done under the lock.
pub const OPTIMISTIC_TRIES: usize = 8;

const _: () = assert!(
    SHARD_BITS_MAX <= 16,
    "a shard is named by bits 40 to 55 of a hash"
);
const _: () = assert!(
    KEY_BYTES <= u8::MAX as usize,
    "an item keeps its key length in one byte"
);
