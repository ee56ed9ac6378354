//! The store: its shards, what items may take, and how much one step of its upkeep does.

/// The least of `-I`, as in memcached.
pub(crate) const ITEM_BYTES_MIN: usize = 1 << 10;
/// The most of `-I`, as in memcached.
pub(crate) const ITEM_BYTES_MAX: usize = 1 << 30;
/// A key has 1 to this many bytes, as in memcached; longer ones are a client error.
pub(crate) const KEY_BYTES: usize = 250;

/// Bytes of `-m` per shard: keeps the growth and the walk of one shard under half a millisecond.
pub(crate) const SHARD_BYTES: u64 = 256 << 10;
/// Shards of the smallest store, as a power of two: enough that workers seldom want the same lock.
pub(crate) const SHARD_BITS_MIN: u32 = 8;
/// Shards of the largest store, as a power of two, which `-m 4096` has. A choice: with more, empty
/// shards take more and eviction compares emptier ones; without, the shards of a larger store grow.
pub(crate) const SHARD_BITS_MAX: u32 = 14;
/// Buckets of keys whose sums two nodes compare, as a power of two: a wire constant. Of a million
/// items a bucket has 15, so that little more than what differs is listed.
pub(crate) const BUCKET_BITS: u32 = 16;
/// The number of buckets.
pub(crate) const BUCKETS: usize = 1 << BUCKET_BITS;
/// What an entry takes beside its own allocation: 32 bytes in the LRU list, and its part of an
/// index with places of 17 bytes, of which items fill 5 in 16 at least (see `store/lru_list.rs`).
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = 88;
/// What an empty shard takes: its lock, the heads of its list, and its first places.
pub(crate) const SHARD_OVERHEAD_BYTES: u64 = 512;
/// One part in this many of `-m` is kept for the process itself, which takes little of a small
/// node; from `-m 128` on it is [`PROCESS_BYTES_MAX`].
pub(crate) const PROCESS_SHARE: u64 = 32;
/// No less than this is kept for the process itself, the share of `-m 8`.
pub(crate) const PROCESS_BYTES_MIN: u64 = 256 << 10;
/// No more than this is kept for the process itself: code, stacks and scratch buffers do not grow
/// with `-m`.
pub(crate) const PROCESS_BYTES_MAX: u64 = 4 << 20;
/// With a partner as much again is kept, without a least: the link has a thread, buffers and an
/// encryption of its own, and the sums of [`BUCKETS`] take half a mebibyte.
pub(crate) const LINK_PROCESS_SHARE: u64 = 32;

/// Tombstones may hold one part in this many of memory; then the oldest goes and is counted. A
/// choice: a larger part remembers deletions through a longer absence of the partner, at the cost
/// of items.
pub(crate) const TOMBSTONE_SHARE: u64 = 8;
/// Tombstones that one change of a shard drops at most: more than the one that it may add, so that
/// the share is reached, and few, for it is done under the lock.
pub(crate) const TOMBSTONES_DROPPED: usize = 8;

/// Items at the cold end of a shard that clients read right now, which one look for something to
/// evict promotes and skips. Few, for it is done under the lock; other shards are looked at next.
pub(crate) const EVICTIONS_SKIPPED: usize = 8;
/// Such looks that one eviction takes at most. Then the store is over its budget by what it could
/// not free, until the next change looks at other shards. Far more than are needed, unless clients
/// read nearly everything that there is.
pub(crate) const EVICTION_TRIES: u32 = 64;
/// Shards whose coldest items are compared in one look, at least. A choice: more come closer to
/// evicting the coldest item of all, and each costs a memory access.
pub(crate) const EVICTION_SAMPLE: u64 = 4;
/// Items that the shards compared in one look hold together, at least: the fewer a shard holds, the
/// less its tail says; that of a shard of one is no colder than any item.
pub(crate) const EVICTION_SAMPLE_ENTRIES: u64 = 64;

/// Allocations of an item that are tried once more after the machine had no memory for it, each
/// after evicting others. More than one: other threads may take what was freed.
pub(crate) const ALLOCATION_TRIES: u32 = 8;
/// What such evictions free beyond the size of the item: an item has small parts, too.
pub(crate) const RELIEF_BYTES_MIN: u64 = 256 << 10;
/// Items that they evict at most each time, so that one try ends; the next one evicts others.
pub(crate) const RELIEF_STEPS: u32 = 2048;
/// Shards in which they look for an item that is no smaller, whose memory would do as it is. A
/// choice: 256 looks cost far less than the 2,048 evictions that they may save.
pub(crate) const RELIEF_SHARDS: usize = 16;
/// And items that they look at in each.
pub(crate) const RELIEF_ITEMS: usize = 16;
/// Where the address space is limited (`ulimit -v`), items are granted memory in such steps: asking
/// the system takes longer than storing an item, and is done once in so many bytes.
pub(crate) const GRANT_BYTES: u64 = 1 << 20;
/// Items are granted more as long as the limit leaves this margin: for all that may not fail, and
/// for free pieces of memory that do not fit what is asked for.
pub(crate) const MACHINE_MARGIN_BYTES: u64 = 16 << 20;
/// Having been denied more, so many others are denied without asking the system again.
pub(crate) const GRANT_DENIALS: u32 = 256;

/// A lower memory limit is reached in steps of this size, after each of which others may have
/// their turn at the locks.
pub(crate) const SHRINK_STEP_BYTES: u64 = 1 << 20;
/// Such steps in one round of housekeeping, which has other things to do, too: 640 MB a second.
pub(crate) const SHRINK_STEPS: u32 = 64;
/// Entries that one hold of a shard's lock may expire: some microseconds of work.
pub(crate) const EXPIRY_STEP_ENTRIES: usize = 64;
/// Entries that a round of housekeeping looks at before their bucket fires. A choice: more free
/// memory seconds earlier, and disturb more clients.
pub(crate) const EXPIRY_EARLY_ENTRIES: usize = 4096;
/// Items that one step of a walk shows, in one hold of a shard's lock: some microseconds, and no
/// more than fit the reply of a turn.
pub(crate) const WALK_STEP_ENTRIES: usize = 64;
/// Entries that are looked at for the ages of `stats items`, at the cold ends of all shards: all of
/// a small store, and a bounded time in a large one.
pub(crate) const AGE_ENTRIES: usize = 64 << 10;
/// A hit promotes at the latest when the last promotion is this old, which is memcached's minute.
pub(crate) const PROMOTION_MS_MAX: u64 = 60_000;
/// Tries to append to a value outside its shard's lock before it is done under the lock: a client
/// that loses to others so often would never end.
pub(crate) const OPTIMISTIC_TRIES: usize = 8;
/// How many buckets ahead an entry may be queued: about 70 minutes, longer than most sessions live.
pub(crate) const EXPIRY_HORIZON_BUCKETS: u64 = 256;
/// How many stale entries may exceed twice the table before they are swept: a small shard need not
/// sweep at every set.
pub(crate) const EXPIRY_STALE_KEPT: usize = 64;
/// The index of a list is checked when one part in this many of its items was put or removed. A
/// choice: items that a shrunk index moves are paid for by these changes, and in between it is
/// longer than it need be.
pub(crate) const INDEX_CHECK_SHARE: usize = 2;
/// And after no fewer changes than this: an index of so many entries may stay.
pub(crate) const INDEX_CHECK_CHANGES_MIN: usize = 64;
/// The number of slots a key may use. All but the first are for keys whose 64-bit hash is that of
/// another key in the table.
pub(crate) const SLOTS_PER_KEY: u64 = 8;

/// Wall and boot-time clock are read this often at most, until nothing came between the two
/// readings: on a machine that interrupts five in a row the last ones must do.
pub(crate) const WALL_READS: u32 = 5;
/// A distance of wall and boot-time clock that is measured this much off the one in use is the same
/// distance. Far below what a person sets a clock by, and below the half second by which absolute
/// expiry times may be off and still show as they were set.
pub(crate) const WALL_JITTER_MS: u64 = 20;
/// A wall clock below this counts as one that was never set. Those of before 2020 show next to
/// nothing, for they are cut off there, and what has passed since they were read.
pub(crate) const WALL_UNSET_MS: u64 = 60 * 60 * 1000;
/// A clock that goes on by more than this from one timestamp to the next may have been set: what
/// came before is lifted by another distance than what came after.
pub(crate) const LEAP_MS_MIN: u64 = 60 * 1000;
/// Entries that a lift moves in one hold of a shard's lock, as an expiry does.
pub(crate) const LIFT_HOLD_ENTRIES: usize = EXPIRY_STEP_ENTRIES;
/// Listing the slots of a shard counts as so many entries of a lift: a lock and an allocation.
pub(crate) const LIFT_SHARD_COST_ENTRIES: usize = 4;

const _: () = assert!(
    1 << SHARD_BITS_MAX <= BUCKETS && BUCKETS <= 1 << 16,
    "a shard has whole buckets, and a bucket is named by bits 40 to 55 of a hash"
);
const _: () = assert!(
    WALL_JITTER_MS < 500 && WALL_READS > 0,
    "a shown expiry time is rounded to the nearest second"
);
const _: () = assert!(PROCESS_BYTES_MIN < PROCESS_BYTES_MAX);
const _: () = assert!(ITEM_BYTES_MIN < ITEM_BYTES_MAX);
