//! Connections of clients: how they come in, stay, and watch.

/// Files a node opens beside its clients' connections: addresses to listen on, pipes and reactors
/// of its threads, the link, and what it reads.
pub(crate) const OWN_FILES: u64 = 64;
/// Accepting pauses this long when it fails, as it does when no descriptor is left; memcached's
/// number.
pub(crate) const ACCEPT_PAUSE_MS: u64 = 10;
/// Idle seconds before the kernel probes a client, which keeps its path through firewalls open:
/// they forget a connection after some minutes.
pub(crate) const KEEPALIVE_SECS: u64 = 60;
/// Seconds between two such probes: with the kernel's nine of them a dead client is gone after two
/// and a half minutes.
pub(crate) const KEEPALIVE_INTERVAL_SECS: u64 = 10;
/// Workers look for idle connections this often, if they are to end: the unit of `idle_timeout`.
pub(crate) const IDLE_SWEEP_MS: u64 = 1000;

/// TLS handshakes of one worker that are not finished; one more lets the oldest go. A choice: all
/// clients may come back at once after an outage, and unauthenticated clients hold 16 MiB of a
/// worker at most.
pub(crate) const HANDSHAKES_MAX: usize = 1024;
/// How long a TLS handshake may take, its wait for the client's first byte included. A choice: two
/// round trips take a second on bad lines, and handshakes queue while many come at once.
pub(crate) const HANDSHAKE_MS: u64 = 10_000;
/// What a client may send in its handshake, its certificates included: a chain of several, and a
/// record of TLS.
pub(crate) const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// Sessions of clients without tickets that are kept for them, for each kind of address. A choice:
/// some hundred bytes each against a full handshake of those who come back.
pub(crate) const TLS_SESSIONS_MAX: usize = 4096;
/// Encrypted bytes of a connection that may wait for its socket, at least: four records of TLS, or
/// a turn's replies would go out in many writes.
pub(crate) const TLS_WRITE_BYTES_MIN: usize = 64 << 10;
/// And at most, whatever `ssl_wbuf_size` says: it is held beside the replies that are counted.
pub(crate) const TLS_WRITE_BYTES_MAX: usize = 1 << 20;
/// More than a TLS session can have read from its socket and not returned yet.
pub(crate) const TLS_SESSION_BYTES: u64 = 64 << 10;

/// Clients that may `watch` at once; memcached's number.
pub(crate) const WATCHERS_MAX: usize = 20;
/// A line for watchers is no longer: a key whose every byte takes three, and the other fields.
pub(crate) const WATCH_LINE_BYTES: usize = 1024;
/// Of why a client's TLS failed, so much is in such a line.
pub(crate) const WATCH_CAUSE_BYTES: usize = 256;
/// Bytes of a watcher's mailbox that are kept for telling it what it has missed: the words and the
/// largest number.
pub(crate) const WATCHER_SKIPPED_BYTES: usize = 64;
/// A watcher whose mailbox is full is waited for so long, once, before it misses lines: a few turns
/// of its worker. All other watchers wait with it.
pub(crate) const WATCHER_PATIENCE_MS: u64 = 2;
/// Lines are carried from the workers to the watchers this often while things happen; a worker
/// whose log is half full is seen to at once.
pub(crate) const WATCH_PAUSE_MS: u64 = 1;
/// And more and more seldom, down to this, while nothing does: a person sees no delay yet.
pub(crate) const WATCH_PAUSE_MS_MAX: u64 = 64;
/// What a watcher sends is thrown away in pieces of this size: it has nothing to say.
pub(crate) const WATCHER_INPUT_BYTES: usize = 512;
/// Bytes of log lines that `watcher_logbuf_size` and `worker_logbuf_size` may have waiting, each.
/// A choice: more than any node has use for, and small enough for every sum with it.
pub(crate) const LOGBUF_BYTES_MAX: usize = 1 << 30;

const _: () = assert!(WATCH_CAUSE_BYTES + 200 <= WATCH_LINE_BYTES);
const _: () = assert!(WATCH_PAUSE_MS < WATCH_PAUSE_MS_MAX);
const _: () = assert!(TLS_WRITE_BYTES_MIN <= TLS_WRITE_BYTES_MAX);
