//! A turn of a connection: how much it does and answers before others have theirs.

/// Values up to this size are copied into the replies; larger ones are sent from their item. The
/// copy is made under the lock of a shard, which it holds a tenth of a microsecond longer.
pub(crate) const VALUE_COPY_BYTES: usize = 16 << 10;
/// A turn stops before a request once it has this much to send. A choice: a larger one serves a
/// pipeline with fewer writes, and keeps the others of its worker waiting longer.
pub const TURN_OUTPUT_BYTES: usize = 256 << 10;
/// This limit while replies that clients do not read hold more than their share of memory.
pub(crate) const TURN_OUTPUT_SCARCE_BYTES: usize = 16 << 10;
/// That share: one part in this many of the item memory. With all of `-c`'s connections reading
/// nothing, each adds no more than [`TURN_OUTPUT_SCARCE_BYTES`] and one reply.
pub(crate) const OUTPUT_SHARE: u64 = 8;
/// Reply buffers larger than this are given back after a turn: twice what a turn aims at, so that
/// only large replies allocate again.
pub(crate) const OUTPUT_KEPT_BYTES: usize = 2 * TURN_OUTPUT_BYTES;
/// Of bytes that a turn copies within the store, this many count as one to send: no reply shows how
/// long that takes. A turn copies a megabyte at most.
pub(crate) const COPIED_BYTES_PER_SENT: usize = 4;
/// A turn stops before a request once it has served this many (`-R` sets another number): about a
/// millisecond of small requests. memcached's 20 costs a pipeline a third of its throughput.
pub(crate) const TURN_REQUESTS: u32 = 1024;
/// A turn stops within a long `get` once it has looked for this many keys: misses fill no output,
/// and each takes far less than a request.
pub(crate) const TURN_KEYS: u32 = 8192;
/// A turn of a dump ends once it has this much to send: a quarter of another's, for nobody waits
/// for a dump as for a session.
pub(crate) const DUMP_TURN_BYTES: usize = TURN_OUTPUT_BYTES / 4;
/// A turn of a dump ends after so many steps of its walk: what has expired or is of another class
/// fills no output.
pub(crate) const DUMP_TURN_STEPS: u32 = 128;
/// A dump whose client has not read for so long loses its turn to another that is asked for. A
/// choice: a person may look at a page of it for a minute.
pub(crate) const DUMP_STALLED_MS: u64 = 60_000;
/// Bytes that `stats cachedump` answers at most, as in memcached.
pub(crate) const CACHEDUMP_BYTES_MAX: usize = 2 << 20;
/// Prefixes that `stats detail` counts, so that a dump of them is no longer than other replies;
/// more are left out, which the log tells.
pub(crate) const PREFIXES_MAX: usize = 4096;
/// Bytes that these prefixes may have together: sixteen for each.
pub(crate) const PREFIX_BYTES_MAX: usize = 16 * PREFIXES_MAX;
/// Slices passed to one system call, of the 1,024 that Linux takes: most replies have fewer, and
/// the next call sends the rest.
pub(crate) const WRITE_RUNS_MAX: usize = 32;

/// Housekeeping works this often. A choice: a delayed flush is carried out so much later at most,
/// and an idle node wakes up ten times a second.
pub(crate) const HOUSEKEEPING_MS: u64 = 100;
/// Expired items are looked for every so many rounds of housekeeping: each second, the unit of
/// memcached's expiry times.
pub(crate) const EXPIRY_ROUNDS: u32 = 10;

const _: () = assert!(VALUE_COPY_BYTES < TURN_OUTPUT_BYTES);
const _: () = assert!(TURN_OUTPUT_SCARCE_BYTES < TURN_OUTPUT_BYTES);
