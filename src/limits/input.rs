//! What clients send: lines, values, and how much of it may wait unfinished.

/// Bytes read at once; shared by all connections of a worker. A choice: more takes fewer reads for
/// large values and pipelines, and leaves the processor's cache.
pub(crate) const SCRATCH_BYTES: usize = 64 << 10;
/// A line without an end is cut off here unless it is a `get` or `gets`, as in memcached.
pub const LINE_BYTES: usize = 2048;
/// A `get` line may be this long; then the connection is closed. memcached has no bound; this one
/// is over four thousand of the longest keys.
pub(crate) const GET_LINE_BYTES: usize = 1 << 20;
/// Spaces that may lead a long `get` line, as in memcached.
pub(crate) const GET_LINE_SPACES: usize = 100;
/// A value whose data is not all there is received straight into its item from this size on; a
/// smaller one waits in the connection for its rest: a copy of it costs less than a second step.
pub const INCOMING_BYTES_MIN: usize = 1024;
/// A value is read straight into its item while at least this much of it is missing: a read of its
/// own for less costs more than the copy.
pub(crate) const VALUE_DIRECT_BYTES: usize = 4 << 10;
/// Longest body of a packet of the binary protocol; a longer one closes the connection, as in
/// memcached.
pub(crate) const BINARY_BODY_BYTES: usize = 1 << 30;
/// A line before the password of `-Y` is cut off when it is shorter than this, its CR included, as
/// in memcached.
pub(crate) const LOGIN_LINE_BYTES_MIN: usize = 6;
/// Longest user and password of `-Y`; a longer one is refused unread. Far more than a line of the
/// file has, and no more than an unauthenticated client may make the node hold.
pub(crate) const LOGIN_TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest name of a SASL mechanism, as in memcached.
pub(crate) const SASL_MECHANISM_BYTES_MAX: usize = 32;
/// Longest SASL token; a longer one is no user's and is discarded. Several times a line of the file
/// of passwords.
pub(crate) const SASL_TOKEN_BYTES_MAX: usize = 4 << 10;

/// Percent of the item memory that unfinished input (values and long lines of clients) may hold.
/// An input that does not fit whole below this is not read from until there is room. Half, so that
/// whatever clients announce, much stays for items.
pub(crate) const UNFINISHED_PERCENT: u64 = 50;
/// One large input at a time may go on beyond that, up to this: the largest item that `-I` allows,
/// half of `-m`, fits however little else there is.
pub(crate) const UNFINISHED_OVERDRAFT_PERCENT: u64 = 75;
/// This limit for values up to [`UNFINISHED_SMALL_BYTES`], so that large uploads do not delay them.
/// What is left stays for items, always: unfinished input beyond it, as after the memory limit
/// was lowered, gives way at once.
pub(crate) const UNFINISHED_SMALL_PERCENT: u64 = 80;
/// A value up to this size counts as a small one: as much as one read can bring.
pub(crate) const UNFINISHED_SMALL_BYTES: usize = SCRATCH_BYTES;
/// Up to this percentage, buffers of unfinished input are generous: memory is there, and fewer
/// copies are made. Beyond it they follow closely what has arrived. Half of what makes others wait.
pub(crate) const UNFINISHED_AMPLE_PERCENT: u64 = UNFINISHED_PERCENT / 2;
/// The whole item is allocated at once for a value up to this size (while memory is ample). A
/// choice: sessions are received without a copy, and a client that announces one and sends a byte
/// holds no more than this.
pub(crate) const UPLOAD_AT_ONCE_BYTES: usize = 256 << 10;
/// First buffer of a larger value: what one read can bring.
pub(crate) const UPLOAD_STEP_BYTES: usize = SCRATCH_BYTES;
/// Each further buffer of it is so many times as large as the one before, until the item itself is
/// allocated: a value uses at most about this many times what has arrived, and is copied twice.
pub(crate) const UPLOAD_GROWTH: usize = 4;
/// This growth when memory is not ample: half the memory, and more copies.
pub(crate) const UPLOAD_GROWTH_SCARCE: usize = 2;
/// Unfinished lines of this size count as unfinished input, see [`UNFINISHED_PERCENT`]. Smaller
/// ones hold little beside what a connection takes of the kernel.
pub(crate) const LINE_ACCOUNTED_BYTES: u64 = 16 << 10;
/// Bytes read at once while unfinished input holds more than [`UNFINISHED_AMPLE_PERCENT`]: what a
/// connection may bring before it is known to begin a large value. An item whose line and data fit
/// is still read in one turn.
pub(crate) const SCARCE_READ_BYTES: usize = 16 << 10;

/// An unfinished value or line that has not grown for so long gives way when others wait for its
/// memory: it is answered `SERVER_ERROR out of memory ...` and its connection is closed. A
/// choice: longer than most cuts that TCP repairs, after which the client goes on.
pub(crate) const STALLED_INPUT_MS: u64 = 30_000;
/// An input that brings less than this in that time has stalled, too: a byte now and then would
/// hold memory for ever.
pub(crate) const STALLED_INPUT_BYTES: usize = 4 << 10;
/// How long an input waits for memory, then it is answered the same: long enough for all others to
/// have been found stalled.
pub(crate) const WAITING_INPUT_MS_MAX: u64 = 3 * STALLED_INPUT_MS;
/// Connections that wait for room look this often whether their clients are still there. A choice:
/// memory of one that is gone is free so much later at most, and all who wait wake as often.
pub(crate) const WAITING_CHECK_MS: u64 = 1000;

const _: () = assert!(UPLOAD_STEP_BYTES * UPLOAD_GROWTH <= UPLOAD_AT_ONCE_BYTES);
const _: () = assert!(UNFINISHED_AMPLE_PERCENT < UNFINISHED_PERCENT);
const _: () = assert!(UNFINISHED_PERCENT < UNFINISHED_OVERDRAFT_PERCENT);
const _: () = assert!(UNFINISHED_OVERDRAFT_PERCENT < UNFINISHED_SMALL_PERCENT);
const _: () = assert!(UNFINISHED_SMALL_PERCENT < 100);
const _: () = assert!(2 * STALLED_INPUT_MS + WAITING_CHECK_MS <= WAITING_INPUT_MS_MAX);
const _: () = assert!(WAITING_CHECK_MS < STALLED_INPUT_MS);
