//! Around the link: the change queue from the workers, reaching the partner, and stopping.

use super::link::BATCH_KEYS_MAX;

/// Batches of dirty keys between the workers and the link; one more is an overflow. A choice: many
/// small turns of a busy worker outlast a stall of the link, for 24 bytes each.
pub(crate) const CHANGE_QUEUE_BATCHES_MAX: usize = 1024;
/// Their keys together may take one part in this many of `-m`: a quarter of what the link itself
/// may keep waiting.
pub(crate) const CHANGE_QUEUE_KEYS_SHARE: u64 = 128;
/// But never fewer keys than this are taken, however small `-m` is: the link is woken in time.
pub(crate) const CHANGE_QUEUE_KEYS_MIN: usize = 2 * CHANGE_QUEUE_WAKE_KEYS;
/// Empty batches kept to be filled again; 8 KiB each at most, half a megabyte together.
pub(crate) const CHANGE_QUEUE_SPARES_MAX: usize = 64;
/// Promotions between the workers and the link; more are forgotten. As many as the link remembers.
pub(crate) const CHANGE_QUEUE_PROMOTIONS_MAX: usize = 4096;
/// Keys (8 bytes each) that end the link's millisecond of sleep early: 64 KiB of them.
pub(crate) const CHANGE_QUEUE_WAKE_KEYS: usize = 64 * 1024 / 8;
/// Batches that end it early, however few keys they have: a full channel costs a sync.
pub(crate) const CHANGE_QUEUE_WAKE_BATCHES: usize = CHANGE_QUEUE_BATCHES_MAX / 2;

/// How long a refusal counts after the partner last tried: longer than its retries are apart.
pub(crate) const REFUSAL_HOLDS_MS: u64 = 3 * DIAL_RETRY_MS_MAX;
/// How long a partner is waited for whose host accepts connections and whose process does not link.
/// A choice: a machine that swaps, takes a snapshot or moves to another host stands still for
/// seconds; one that stands still for longer is dead to its clients.
pub(crate) const UNRESPONSIVE_WAIT_MS: u64 = 15_000;
/// A connection on which the partner says nothing for so long is a sign that it is frozen: an
/// answer takes a round trip and a signature.
pub(crate) const SILENT_DIAL_MS: u64 = 500;
/// Side 1 looks for side 0 after so long without a link: side 0 has dialled by then, if it runs.
pub(crate) const PROBE_DELAY_MS: u64 = 300;
/// From one such look to the next.
pub(crate) const PROBE_INTERVAL_MS: u64 = 1000;
/// Time between two attempts to reach the partner, at first: it is only restarting, perhaps.
pub(crate) const DIAL_RETRY_MS: u64 = 100;
/// How long attempts stay that close: a restart takes no longer.
pub(crate) const DIAL_EAGER_MS: u64 = 10_000;
/// Longest time between two attempts. A choice: a partner that comes back is found so much later at
/// most, and a day without one costs 86,400 attempts.
pub(crate) const DIAL_RETRY_MS_MAX: u64 = 1000;
/// Addresses of the partner that are dialled in turn; more are not looked at. A host has one or two
/// of each family.
pub(crate) const PARTNER_ADDRESSES_MAX: usize = 8;
/// The partner's name is looked up no more often, whoever asks: attempts that are 100 ms apart
/// share a look-up.
pub(crate) const LOOKUP_INTERVAL_MS: u64 = 500;
/// An attempt to dial waits this long for the first address of the partner. A choice: resolvers
/// answer in milliseconds or not at all.
pub(crate) const LOOKUP_WAIT_MS: u64 = 2000;
/// Connections on the replication port that are not authenticated yet: more than the partner has,
/// and few, because each costs a TLS handshake.
pub(crate) const UNAUTHENTICATED_LINKS_MAX: usize = 8;
/// How long such a connection may take to authenticate: TLS takes two round trips.
pub(crate) const LINK_AUTH_MS: u64 = 2000;
/// And how much it may send: a certificate and a hello of the greatest length.
pub(crate) const LINK_AUTH_BYTES_MAX: usize = 16 * 1024;
/// A connection between the nodes on which nothing moves is probed after so long: a link has
/// heartbeats of its own, so this is for what is not a link yet.
pub(crate) const LINK_KEEPALIVE_SECS: u64 = 5;
/// From one probe to the next.
pub(crate) const LINK_KEEPALIVE_INTERVAL_SECS: u64 = 2;
/// A connection ends when the kernel has had no TCP acknowledgement of sent bytes for so long: a
/// host that died is noticed even if this node only sends.
pub(crate) const UNACKNOWLEDGED_SECS_MAX: u64 = 5;
/// Connections to the replication port that wait to be accepted: more than one partner makes.
pub(crate) const LINK_BACKLOG: i32 = 64;
/// A task of replication that has panicked is tried again after so long: one that panics each time
/// leaves the machine to others.
pub(crate) const RECOVERY_PAUSE_MS: u64 = 1000;
/// Bytes the link reads at once: one frame.
pub(crate) const LINK_READ_BYTES: usize = 64 * 1024;
/// Bytes of frames that wait for the socket: four frames, so that what is put first, such as acks,
/// waits for no more than these.
pub(crate) const LINK_WRITE_BYTES: usize = 256 * 1024;
/// How long a node that stops waits for the partner to have everything, however well it gets on:
/// less than the 90 seconds that systemd leaves a process before it kills it.
pub(crate) const DRAIN_MS_MAX: u64 = 80_000;
/// Bytes of a handshake read at once: most of a handshake message with one certificate.
pub(crate) const LINK_AUTH_READ_BYTES: usize = 4096;

// The link is woken while the channel still has as much room again.
const _: () = assert!(2 * CHANGE_QUEUE_WAKE_BATCHES <= CHANGE_QUEUE_BATCHES_MAX);
const _: () = assert!(2 * CHANGE_QUEUE_WAKE_KEYS <= CHANGE_QUEUE_KEYS_MIN);
const _: () = assert!(CHANGE_QUEUE_KEYS_MIN <= CHANGE_QUEUE_BATCHES_MAX * BATCH_KEYS_MAX);
const _: () = assert!(
    LINK_AUTH_MS >= 250 * PARTNER_ADDRESSES_MAX as u64,
    "the time to authenticate is shared by the addresses, and some milliseconds are far away"
);
const _: () = assert!(
    SILENT_DIAL_MS * 2 <= LINK_AUTH_MS && PROBE_DELAY_MS + SILENT_DIAL_MS <= 1000,
    "a frozen partner is noticed well within the two seconds after which a node serves alone"
);
const _: () = assert!(
    PROBE_INTERVAL_MS + LINK_AUTH_MS <= REFUSAL_HOLDS_MS,
    "a side 1 that is refused asks again while the refusal still counts"
);
const _: () = assert!(
    DIAL_RETRY_MS_MAX + LINK_AUTH_MS <= REFUSAL_HOLDS_MS,
    "a refused partner's next attempt arrives while its last refusal still counts"
);
