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

// --- connections ---

/// Values up to this size are copied into the replies; larger ones are sent from their item.
pub const VALUE_COPY_BYTES: usize = 16 << 10;
/// A turn stops before a request once it has this much to send.
pub const TURN_OUTPUT_BYTES: usize = 256 << 10;
/// A turn stops before a request once it has served this many (`-R` sets another number).
pub const TURN_REQUESTS: u32 = 1024;
/// Bytes read at once; shared by all connections of a worker.
pub const SCRATCH_BYTES: usize = 64 << 10;
/// A line without an end is cut off here unless it is a `get` or `gets`.
pub const LINE_BYTES: usize = 2048;
/// A `get` line may be this long; then the connection is closed.
pub const GET_LINE_BYTES: usize = 1 << 20;
/// Spaces that may lead a long `get` line.
pub const GET_LINE_SPACES: usize = 100;
/// A value whose data is not all there is received straight into its item from this size on.
pub const INCOMING_BYTES_MIN: usize = 1024;
/// Reply buffers larger than this are given back after a turn.
pub const OUTPUT_KEPT_BYTES: usize = 512 << 10;

const _: () = assert!(VALUE_COPY_BYTES < TURN_OUTPUT_BYTES);
const _: () = assert!(LINE_BYTES + KEY_BYTES + INCOMING_BYTES_MIN < SCRATCH_BYTES / 2);
