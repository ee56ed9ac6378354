//! Every bound of the server, with what happens at it, asserted against the others.

// --- store ---

/// Bytes of `-m` per shard: keeps the growth and the walk of one shard under half a millisecond.
pub const SHARD_BYTES: u64 = 256 << 10;
/// Shards of the smallest store, as a power of two.
pub const SHARD_BITS_MIN: u32 = 8;
/// Shards of the largest store, as a power of two.
pub const SHARD_BITS_MAX: u32 = 14;
/// What an entry takes beside its own allocation: 32 bytes in the LRU list, and its part of an
/// index with places of 17 bytes, of which items fill 5 in 16 at least (see `store/lru_list.rs`).
pub const ENTRY_OVERHEAD_BYTES: usize = 88;
/// What an empty shard takes.
pub const SHARD_OVERHEAD_BYTES: u64 = 512;
/// One part in this many of `-m` is kept for the process itself, see [`PROCESS_BYTES_MAX`].
pub const PROCESS_SHARE: u64 = 32;
/// No less than this is kept for the process itself.
pub const PROCESS_BYTES_MIN: u64 = 256 << 10;
/// No more than this is kept for the process itself: code, stacks, scratch buffers.
pub const PROCESS_BYTES_MAX: u64 = 4 << 20;
/// With a partner as much again is kept, without a least: the link has a thread, buffers and an
/// encryption of its own.
pub const LINK_PROCESS_SHARE: u64 = 32;
/// A key has 1 to this many bytes; longer ones are a client error.
pub const KEY_BYTES: usize = 250;
/// Percent of the item memory that unfinished input (values and long lines of clients) may hold.
/// An input that does not fit whole below this is not read from until there is room. Half, so that
/// whatever clients announce, much stays for items.
pub const UNFINISHED_PERCENT: u64 = 50;
/// One large input at a time may go on beyond that, up to this: the largest item that `-I` allows,
/// half of `-m`, fits however little else there is.
pub const UNFINISHED_OVERDRAFT_PERCENT: u64 = 75;
/// The same for values up to [`UNFINISHED_SMALL_BYTES`], so that large uploads do not delay them.
/// What is left stays for items, always: unfinished input beyond it, as after the memory limit
/// was lowered, gives way at once.
pub const UNFINISHED_SMALL_PERCENT: u64 = 80;
/// A value up to this size counts as a small one: as much as one read can bring.
pub const UNFINISHED_SMALL_BYTES: usize = 64 << 10;
/// Up to this percentage, buffers of unfinished input are generous: memory is there, and fewer
/// copies are made. Beyond it they follow closely what has arrived.
pub const UNFINISHED_AMPLE_PERCENT: u64 = 25;
/// The whole item is allocated at once for a value up to this size (while memory is ample).
pub const UPLOAD_AT_ONCE_BYTES: usize = 256 << 10;
/// First buffer of a larger value: what one read can bring.
pub const UPLOAD_STEP_BYTES: usize = 64 << 10;
/// Each further buffer of it is so many times as large as the one before, until the item itself is
/// allocated: a value uses at most about this many times what has arrived, and is copied twice.
pub const UPLOAD_GROWTH: usize = 4;
/// The same when memory is not ample.
pub const UPLOAD_GROWTH_SCARCE: usize = 2;
/// Tombstones may hold one part in this many of memory; then the oldest goes and is counted.
pub const TOMBSTONE_SHARE: u64 = 8;
/// Tombstones that one change of a shard drops at most.
pub const TOMBSTONES_DROPPED: usize = 8;
/// Items at the cold end of a shard that clients read right now, which one look for something to
/// evict promotes and skips.
pub const EVICTIONS_SKIPPED: usize = 8;
/// Such looks that one eviction takes at most. Then the store is over its budget by what it could
/// not free, until the next change looks at other shards.
pub const EVICTION_TRIES: u32 = 64;
/// Shards whose coldest items are compared in one look, at least.
pub const EVICTION_SAMPLE: u64 = 4;
/// Items that the shards compared in one look hold together, at least.
pub const EVICTION_SAMPLE_ENTRIES: u64 = 64;
/// Allocations of an item that are tried once more after the machine had no memory for it, each
/// after evicting others.
pub const ALLOCATION_TRIES: u32 = 8;
/// What such evictions free beyond the size of the item: an item has small parts, too.
pub const RELIEF_BYTES_MIN: u64 = 256 << 10;
/// Items that they evict at most each time.
pub const RELIEF_STEPS: u32 = 2048;
/// Shards in which they look for an item that is no smaller,
pub const RELIEF_SHARDS: usize = 16;
/// and items that they look at in each.
pub const RELIEF_ITEMS: usize = 16;
/// Where the address space is limited (`ulimit -v`), items are granted memory in such steps,
pub const GRANT_BYTES: u64 = 1 << 20;
/// as long as the limit leaves this margin: for all that may not fail, and for free pieces of
/// memory that do not fit what is asked for.
pub const MACHINE_MARGIN_BYTES: u64 = 16 << 20;
/// Having been denied more, so many others are denied without asking again.
pub const GRANT_DENIALS: u32 = 256;
/// A lower memory limit is reached in steps of this size.
pub const SHRINK_STEP_BYTES: u64 = 1 << 20;
/// Such steps in one round of housekeeping, which has other things to do, too.
pub const SHRINK_STEPS: u32 = 64;
/// Entries that one hold of a shard's lock may expire.
pub const EXPIRY_STEP_ENTRIES: usize = 64;
/// Items that one step of a walk shows, in one hold of a shard's lock.
pub const WALK_STEP_ENTRIES: usize = 64;
/// Entries that are looked at for the ages of `stats items`, at the cold ends of all shards.
pub const AGE_ENTRIES: usize = 64 << 10;
/// Entries that a round of housekeeping looks at before their bucket fires.
pub const EXPIRY_EARLY_ENTRIES: usize = 4096;
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
/// The same while replies that clients do not read hold more than their share of memory.
pub const TURN_OUTPUT_SCARCE_BYTES: usize = 16 << 10;
/// That share: one part in this many of the item memory. With all of `-c`'s connections reading
/// nothing, each adds no more than [`TURN_OUTPUT_SCARCE_BYTES`] and one reply.
pub const OUTPUT_SHARE: u64 = 8;
/// Of bytes that a turn copies within the store, this many count as one to send: no reply shows how
/// long that takes.
pub const COPIED_BYTES_PER_SENT: usize = 4;
/// A turn stops before a request once it has served this many (`-R` sets another number).
pub const TURN_REQUESTS: u32 = 1024;
/// A turn stops within a long `get` once it has looked for this many keys: misses fill no output.
pub const TURN_KEYS: u32 = 8192;
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
/// Longest body of a packet of the binary protocol; a longer one closes the connection.
pub const BINARY_BODY_BYTES: usize = 1 << 30;
/// A line before the password of `-Y` is cut off when it is shorter than this, its CR included.
pub const LOGIN_LINE_BYTES_MIN: usize = 6;
/// Longest user and password of `-Y`; a longer one is refused unread.
pub const LOGIN_TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest name of a SASL mechanism.
pub const SASL_MECHANISM_BYTES_MAX: usize = 32;
/// Longest SASL token; a longer one is no user's and is swallowed.
pub const SASL_TOKEN_BYTES_MAX: usize = 4 << 10;
/// Entries of `-Y`'s file that count; there is a warning when it has more.
pub const AUTH_FILE_ENTRIES_MAX: usize = 8;
/// Longest line of a file of passwords; with a longer one it is refused.
pub const AUTH_FILE_LINE_BYTES_MAX: usize = 255;
/// Users of a file of SASL passwords; with more it is refused.
pub const SASL_USERS_MAX: usize = 1024;
/// Longest file of passwords.
pub const PASSWORD_FILE_BYTES_MAX: u64 = 512 << 10;
/// Reply buffers larger than this are given back after a turn.
pub const OUTPUT_KEPT_BYTES: usize = 512 << 10;

/// A value is read straight into its item while at least this much of it is missing.
pub const VALUE_DIRECT_BYTES: usize = 4 << 10;
/// Unfinished lines of this size count as unfinished input, see [`UNFINISHED_PERCENT`].
pub const LINE_ACCOUNTED_BYTES: u64 = 16 << 10;
/// Bytes read at once while unfinished input holds more than [`UNFINISHED_AMPLE_PERCENT`]: what a
/// connection may bring before it is known to begin a large value. An item whose line and data fit
/// is still read in one turn.
pub const SCARCE_READ_BYTES: usize = 16 << 10;
/// An unfinished value or line that has not grown for so long gives way when others wait for its
/// memory: it is answered `SERVER_ERROR out of memory ...` and its connection is closed.
pub const STALLED_INPUT_MS: u64 = 30_000;
/// An input that brings less than this in that time has stalled, too.
pub const STALLED_INPUT_BYTES: usize = 4 << 10;
/// How long an input waits for memory, then it is answered the same: long enough for all others to
/// have been found stalled.
pub const WAITING_INPUT_MS_MAX: u64 = 3 * STALLED_INPUT_MS;
/// Connections that wait for room look this often whether their clients are still there.
pub const WAITING_CHECK_MS: u64 = 1000;
/// Accepting pauses this long when it fails, as it does when no descriptor is left.
pub const ACCEPT_PAUSE_MS: u64 = 10;
/// Idle seconds before the kernel probes a client, which keeps its path through firewalls open.
pub const KEEPALIVE_SECS: u64 = 60;
/// Seconds between two such probes.
pub const KEEPALIVE_INTERVAL_SECS: u64 = 10;
/// A turn of a dump ends once it has this much to send.
pub const DUMP_TURN_BYTES: usize = 64 << 10;
/// A turn of a dump ends after so many steps of its walk: what has expired or is of another class
/// fills no output.
pub const DUMP_TURN_STEPS: u32 = 128;
/// A dump whose client has not read for so long loses its turn to another that is asked for.
pub const DUMP_STALLED_MS: u64 = 60_000;
/// Workers look for idle connections this often, if they are to end.
pub const IDLE_SWEEP_MS: u64 = 1000;
/// Clients that may `watch` at once; memcached's number.
pub const WATCHERS_MAX: usize = 20;
/// A line for watchers is no longer: a key whose every byte takes three, and the other fields.
pub const WATCH_LINE_BYTES: usize = 1024;
/// Of why a client's TLS failed, so much is in such a line.
pub const WATCH_CAUSE_BYTES: usize = 256;
/// Bytes of a watcher's mailbox that are kept for telling it what it has missed.
pub const WATCHER_SKIPPED_BYTES: usize = 64;
/// A watcher whose mailbox is full is waited for so long, once, before it misses lines.
pub const WATCHER_PATIENCE_MS: u64 = 2;
/// Lines are carried from the workers to the watchers this often while things happen,
pub const WATCH_PAUSE_MS: u64 = 1;
/// and more and more seldom, down to this, while nothing does.
pub const WATCH_PAUSE_MS_MAX: u64 = 64;
/// What a watcher sends is thrown away in pieces of this size.
pub const WATCHER_INPUT_BYTES: usize = 512;
/// Housekeeping works this often.
pub const HOUSEKEEPING_MS: u64 = 100;
/// Wall and boot-time clock are read this often at most, until nothing came between the two
/// readings.
pub const WALL_READS: u32 = 5;
/// A distance of wall and boot-time clock that is measured this much off the one in use is the same
/// distance. Far below what a person sets a clock by, and below the half second by which absolute
/// expiry times may be off and still show as they were set.
pub const WALL_JITTER_MS: u64 = 20;
/// Expired items are looked for every so many rounds of housekeeping.
pub const EXPIRY_ROUNDS: u32 = 10;
/// Prefixes that `stats detail` counts, so that a dump of them is no longer than other replies;
/// more are left out, which the log tells.
pub const PREFIXES_MAX: usize = 4096;
/// Bytes that these prefixes may have together.
pub const PREFIX_BYTES_MAX: usize = 64 << 10;
/// Bytes that `stats cachedump` answers at most, as in memcached.
pub const CACHEDUMP_BYTES_MAX: usize = 2 << 20;
/// TLS handshakes of one worker that are not finished; one more lets the oldest go.
pub const HANDSHAKES_MAX: usize = 1024;
/// How long a TLS handshake may take, its wait for the client's first byte included.
pub const HANDSHAKE_MS: u64 = 10_000;
/// What a client may send in its handshake, its certificates included.
pub const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// Sessions of clients without tickets that are kept for them, for each kind of address.
pub const TLS_SESSIONS_MAX: usize = 4096;
/// Bytes of log lines that `watcher_logbuf_size` and `worker_logbuf_size` may have waiting, each.
pub const LOGBUF_BYTES_MAX: usize = 1 << 30;
/// Longest configuration that is read.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest file with certificates or a key that is read.
pub const TLS_FILE_BYTES_MAX: u64 = 1 << 20;
/// Encrypted bytes of a connection that may wait for its socket, at least.
pub const TLS_WRITE_BYTES_MIN: usize = 64 << 10;
/// And at most, whatever `ssl_wbuf_size` says.
pub const TLS_WRITE_BYTES_MAX: usize = 1 << 20;
/// The memcached release we answer like.
pub const VERSION_ANSWERED: &str = "1.6.45";

const _: () = assert!(
    WALL_JITTER_MS < 500 && WALL_READS > 0,
    "a shown expiry time is rounded to the nearest second"
);
const _: () = assert!(VALUE_COPY_BYTES < TURN_OUTPUT_BYTES);
const _: () = assert!(TURN_OUTPUT_SCARCE_BYTES < TURN_OUTPUT_BYTES);
const _: () = assert!(3 * KEY_BYTES + 200 <= WATCH_LINE_BYTES);
const _: () = assert!(WATCH_CAUSE_BYTES + 200 <= WATCH_LINE_BYTES);
const _: () = assert!(TLS_WRITE_BYTES_MIN <= TLS_WRITE_BYTES_MAX);
// An unfinished handshake holds no more than an unfinished line that is not counted.
const _: () = assert!(HANDSHAKE_BYTES_MAX as u64 <= LINE_ACCOUNTED_BYTES);
const _: () = assert!(LINE_BYTES + KEY_BYTES + INCOMING_BYTES_MIN < SCRATCH_BYTES / 2);
const _: () = assert!(LINE_BYTES + KEY_BYTES + INCOMING_BYTES_MIN < SCARCE_READ_BYTES);
// What one read brings fits the first buffer of a value.
const _: () = assert!(SCRATCH_BYTES <= UPLOAD_STEP_BYTES);
const _: () = assert!(UPLOAD_STEP_BYTES * UPLOAD_GROWTH <= UPLOAD_AT_ONCE_BYTES);
const _: () = assert!(UNFINISHED_AMPLE_PERCENT < UNFINISHED_PERCENT);
const _: () = assert!(UNFINISHED_PERCENT < UNFINISHED_OVERDRAFT_PERCENT);
const _: () = assert!(UNFINISHED_OVERDRAFT_PERCENT < UNFINISHED_SMALL_PERCENT);
const _: () = assert!(2 * STALLED_INPUT_MS + WAITING_CHECK_MS <= WAITING_INPUT_MS_MAX);
const _: () = assert!(UNFINISHED_SMALL_PERCENT < 100);
const _: () = assert!(WAITING_CHECK_MS.is_multiple_of(HOUSEKEEPING_MS));
const _: () = assert!(WAITING_CHECK_MS < STALLED_INPUT_MS);

// --- link ---

// The link: frames.

/// Longest frame of the link, its length field included.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest value the link takes, as announced by its first chunk: memcached's upper bound of `-I`.
pub const LINK_VALUE_BYTES_MAX: usize = 1 << 30;
/// Longest node id in a hello, in bytes.
pub const NODE_ID_BYTES_MAX: usize = 255;
/// Longest policy text in a hello, in bytes.
pub const POLICY_BYTES_MAX: usize = 8 * 1024;
/// Longest reason in a refusal, in bytes; the rest is cut off.
pub const REASON_BYTES_MAX: usize = 1024;

// The link: what it holds.

/// Dirty keys that are not on the wire may take one part in this many of `-m`; beyond it the link
/// stops draining the change queue, and a full sync covers what then overflows.
pub const DIRTY_KEYS_SHARE: u64 = 32;
/// What such a key takes at most, in its queue and in an index whose tables double: 16 bytes, and
/// 9 for each of 16 places that 7 keys may have; half as much again while the index grows.
pub const DIRTY_KEY_BYTES_MAX: usize = 16 + 21 + 11;
/// Never more than this: a full sync is shorter then.
pub const DIRTY_KEYS_MAX: usize = 1_000_000;
/// And never less, however small `-m` is.
pub const DIRTY_KEYS_MIN: usize = 4 * BATCH_KEYS_MAX;
/// Keys in one batch that a worker sends to the change queue.
pub const BATCH_KEYS_MAX: usize = 1024;
/// Bytes of live records on the wire and not yet acknowledged.
pub const LIVE_WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a full sync on the wire and not yet acknowledged.
pub const SYNC_WINDOW_BYTES: usize = 256 * 1024;
/// Bytes a full sync adds to the wire before live records get their turn again.
pub const SYNC_BURST_BYTES: usize = 64 * 1024;
/// Bytes of live records after which a waiting full sync gets one burst, so that a busy node still
/// finishes it.
pub const SYNC_SHARE_BYTES: usize = 4 * SYNC_BURST_BYTES;
/// Frames on the wire that are not acknowledged; also the most acks a node may have pending.
pub const IN_FLIGHT_MAX: usize = 64 * 1024;
/// But what the sender keeps of them may take one part in this many of `-m`.
pub const IN_FLIGHT_SHARE: u64 = 128;
/// And never fewer than this may be on the wire, however small `-m` is.
pub const IN_FLIGHT_MIN: usize = 4096;
/// Largest live value whose chunks no other live record overtakes.
pub const ORDERED_VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Promotions remembered for the partner; more are forgotten.
pub const PROMOTIONS_MAX: usize = 4096;

// The link: times.

/// From one heartbeat of a link to the next.
pub const HEARTBEAT_MS: u64 = 200;
/// A distance between the clocks of both nodes counts for this long, and at most for twice as long:
/// clocks that drift apart by a second in three hours are off by a tenth of one then.
pub const CLOCK_PERIOD_MS: u64 = 10 * 60 * 1000;
/// A link that has heard nothing for so long makes room for another incarnation of the partner,
/// whose host may have died without closing the connection. Two heartbeats are missing then, and
/// the third is late: between two a link is silent for one interval, and one heartbeat is late
/// whenever a packet is lost or a machine is busy.
pub const REPLACEABLE_SILENCE_MS: u64 = 4 * HEARTBEAT_MS;
/// A link that has heard nothing for so long is down.
pub const SILENCE_MS: u64 = 1000;
/// A timestamp so far ahead of this node's clock raises an alarm.
pub const TIMESTAMP_AHEAD_ALARM_MS: u64 = 60 * 1000;
/// A timestamp so far ahead of this node's clock closes the link.
pub const TIMESTAMP_AHEAD_MAX_MS: u64 = 365 * 24 * 60 * 60 * 1000;
/// Shortest time between two notices of available space: each may cost the partner a full sync.
pub const SPACE_NOTICE_INTERVAL_MS: u64 = 1000;
/// How often that time doubles while full syncs bring what must be refused again.
pub const SPACE_NOTICE_DOUBLINGS_MAX: u32 = 6;

const _: () = assert!(KEY_BYTES <= u8::MAX as usize);
const _: () = assert!(NODE_ID_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(LINK_VALUE_BYTES_MAX <= u32::MAX as usize);
// A hello and a refusal fit a frame, and all that is read before the hello is checked is little.
const _: () = assert!(NODE_ID_BYTES_MAX + POLICY_BYTES_MAX + 64 <= 16 * 1024);
const _: () = assert!(REASON_BYTES_MAX + 64 <= FRAME_BYTES_MAX);
// A frame's worth of keys holds every promotion, and a batch fits the set.
const _: () = assert!(PROMOTIONS_MAX * 8 + 64 <= FRAME_BYTES_MAX);
const _: () = assert!(BATCH_KEYS_MAX * 2 <= DIRTY_KEYS_MIN);
const _: () = assert!(DIRTY_KEYS_MIN < DIRTY_KEYS_MAX);
const _: () = assert!(IN_FLIGHT_MIN < IN_FLIGHT_MAX);
// Both windows hold more than one frame, so that neither stream can stand still for ever.
const _: () = assert!(2 * FRAME_BYTES_MAX <= SYNC_WINDOW_BYTES);
const _: () = assert!(SYNC_BURST_BYTES <= SYNC_WINDOW_BYTES);
const _: () = assert!(SYNC_WINDOW_BYTES <= LIVE_WINDOW_BYTES);
// A lost heartbeat or two is not yet silence.
const _: () = assert!(3 * HEARTBEAT_MS < SILENCE_MS);
const _: () = assert!(HEARTBEAT_MS < REPLACEABLE_SILENCE_MS && REPLACEABLE_SILENCE_MS < SILENCE_MS);

// --- log ---

/// What repeats without a change of state is logged again after this time, with a count.
pub const LOG_REMINDER_MS: u64 = 60_000;
/// Changes of one state that are logged in that time; a state that flaps is counted from then on.
pub const LOG_CHANGES_MAX: u32 = 10;
/// Log lines that wait for stderr, in bytes; a line more is dropped and counted.
pub const LOG_QUEUE_BYTES: usize = 256 << 10;
/// Bytes written to stderr at once: a pipe takes so many without mixing them with others'.
pub const LOG_WRITE_BYTES: usize = 4 << 10;
/// How long a process that ends waits for stderr to take the last lines.
pub const LOG_FLUSH_MS: u64 = 500;
/// A stderr that takes nothing, but is no blocking file, is tried again after this time.
pub const LOG_RETRY_MS: u64 = 20;
/// So much of a command line is logged (`-vv`): a `get` line may be a thousand times longer.
pub const LOG_COMMAND_BYTES: usize = 1024;

// Every byte of a command may take four ("\x00"); the longest line of a pair's node fits, too.
const _: () = assert!(4 * LOG_COMMAND_BYTES + 256 <= RELAYED_LINE_BYTES_MAX as usize);
const _: () = assert!(8 * RELAYED_LINE_BYTES_MAX <= LOG_QUEUE_BYTES as u64);

// --- node: its key, its partner, the change queue from the workers ---

/// Files a node opens beside its clients' connections.
pub const OWN_FILES: u64 = 64;
/// Longest line that `memtwin pair` passes on at once.
pub const RELAYED_LINE_BYTES_MAX: u64 = 8 * 1024;
/// Longest key file that is read.
pub const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Batches of dirty keys between the workers and the link; one more is an overflow.
pub const CHANGE_QUEUE_BATCHES_MAX: usize = 1024;
/// Their keys together may take one part in this many of `-m`.
pub const CHANGE_QUEUE_KEYS_SHARE: u64 = 128;
/// But never fewer keys than this are taken, however small `-m` is.
pub const CHANGE_QUEUE_KEYS_MIN: usize = 2 * CHANGE_QUEUE_WAKE_KEYS;
/// Empty batches kept to be filled again; 8 KiB each at most.
pub const CHANGE_QUEUE_SPARES_MAX: usize = 64;
/// Promotions between the workers and the link; more are forgotten.
pub const CHANGE_QUEUE_PROMOTIONS_MAX: usize = 4096;
/// Keys (8 bytes each) that end the link's millisecond of sleep early.
pub const CHANGE_QUEUE_WAKE_KEYS: usize = 64 * 1024 / 8;
/// Batches that end it early, however few keys they have: a full channel costs a full sync.
pub const CHANGE_QUEUE_WAKE_BATCHES: usize = CHANGE_QUEUE_BATCHES_MAX / 2;
/// How long a refusal counts after the partner last tried: longer than its retries are apart.
pub const REFUSAL_HOLDS_MS: u64 = 3 * DIAL_RETRY_MS_MAX;
/// Time between two attempts to reach the partner, at first.
pub const DIAL_RETRY_MS: u64 = 100;
/// How long attempts stay that close.
pub const DIAL_EAGER_MS: u64 = 10_000;
/// Longest time between two attempts.
pub const DIAL_RETRY_MS_MAX: u64 = 1000;
/// Addresses of the partner that are dialled in turn; more are not looked at.
pub const PARTNER_ADDRESSES_MAX: usize = 8;
/// The partner's name is looked up no more often, whoever asks.
pub const LOOKUP_INTERVAL_MS: u64 = 500;
/// An attempt to dial waits this long for the first address of the partner.
pub const LOOKUP_WAIT_MS: u64 = 2000;
/// Connections on the replication port that are not authenticated yet.
pub const UNAUTHENTICATED_LINKS_MAX: usize = 8;
/// How long such a connection may take to authenticate, and how much it may send.
pub const LINK_AUTH_MS: u64 = 2000;
/// See [`LINK_AUTH_MS`].
pub const LINK_AUTH_BYTES_MAX: usize = 16 * 1024;
/// Bytes the link reads at once.
pub const LINK_READ_BYTES: usize = 64 * 1024;
/// How long a node that stops waits for the partner to have everything.
pub const DRAIN_MS: u64 = 5000;
/// Bytes of frames that wait for the socket.
pub const LINK_WRITE_BYTES: usize = 256 * 1024;

// The link is woken while the channel still has as much room again.
const _: () = assert!(2 * CHANGE_QUEUE_WAKE_BATCHES <= CHANGE_QUEUE_BATCHES_MAX);
const _: () = assert!(2 * CHANGE_QUEUE_WAKE_KEYS <= CHANGE_QUEUE_KEYS_MIN);
const _: () = assert!(CHANGE_QUEUE_KEYS_MIN <= CHANGE_QUEUE_BATCHES_MAX * BATCH_KEYS_MAX);
const _: () = assert!(
    LINK_AUTH_MS >= 250 * PARTNER_ADDRESSES_MAX as u64,
    "the time to authenticate is shared by the addresses, and some milliseconds are far away"
);
const _: () = assert!(
    DIAL_RETRY_MS_MAX + LINK_AUTH_MS <= REFUSAL_HOLDS_MS,
    "a refused partner's next attempt arrives while its last refusal still counts"
);
