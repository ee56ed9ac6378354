//! Waiting for the partner: tickets, and when nobody waits any more.

use super::{HEARTBEAT_MS, SILENCE_MS};

/// Groups of writes whose clients wait for one link; one more is answered at once, unprotected. A
/// client waits for one group at a time, so this is a thousand times what one worker usually has.
pub(crate) const OPEN_TICKETS_MAX: usize = 65_536;
/// Keys of one group that are remembered because they were waiting for an older one already. A
/// group with more counts as unprotected whenever the partner lacks any key before its last one.
pub(crate) const SHARED_KEYS_MAX: usize = 64;
/// How long a client waits for the partner, unless configured: twenty times what a healthy partner
/// in the same data centre needs, and a fifth of the 100 ms after which memcached-session-manager
/// gives a write up.
pub(crate) const ACK_TIMEOUT_MS: u64 = 20;
/// Shortest time that can be configured: the clock counts milliseconds.
pub(crate) const ACK_TIMEOUT_MS_MIN: u64 = 2;
/// Longest: memcached-session-manager gives a write up after 100 ms.
pub(crate) const ACK_TIMEOUT_MS_MAX: u64 = 90;
/// A value of more than one frame is waited for this long at most: its bytes take time, too.
pub(crate) const LARGE_ACK_TIMEOUT_MS: u64 = 90;
/// A partner that acknowledges nothing for so many timeouts is degraded: one late ack is no stall.
pub(crate) const STALLED_ACK_TIMEOUTS: u64 = 3;
/// Late acks are counted over so long: a client meets late writes for no longer.
pub(crate) const JUDGED_PERIOD_MS: u64 = 1000;
/// Fewer answers in that time prove nothing: a busy machine delays one in some hundreds.
pub(crate) const DEGRADED_JUDGED_MIN: u32 = 20;
/// Acks must be in time for so long before clients wait again, at first.
pub(crate) const DEGRADED_MS_MIN: u64 = 1000;
/// And at most, however often the partner relapses. A choice: a partner that is well again after
/// an hour of trouble is trusted half a minute later.
pub(crate) const DEGRADED_MS_MAX: u64 = 30_000;
/// So much health halves what the next recovery takes.
pub(crate) const HEALTHY_HALVING_MS: u64 = 10_000;
/// How often a worker looks for groups that have waited for too long: a quarter of the shortest
/// usual wait, so that a client waits for little more than it should.
pub(crate) const LATE_CHECK_MS: u64 = 5;
/// Emptied lists of waiting clients, kept by each worker: as many as groups that usually wait.
pub(crate) const SPARE_GROUPS_KEPT: usize = 16;
/// Buffers of replies that wait for the partner, kept by each worker to be filled again: as many
/// as connections that usually write at once.
pub(crate) const HELD_OUTPUTS_KEPT: usize = 256;
/// Replies that wait for the partner are charged to the memory account from this size on, in
/// bytes: smaller ones are fewer bytes than the connection they belong to.
pub(crate) const HELD_OUTPUT_CHARGED_BYTES: usize = 4096;

const _: () = assert!(
    STALLED_ACK_TIMEOUTS * ACK_TIMEOUT_MS_MAX < SILENCE_MS,
    "a partner is degraded before it is silent"
);
const _: () = assert!(ACK_TIMEOUT_MS_MIN <= ACK_TIMEOUT_MS && ACK_TIMEOUT_MS <= ACK_TIMEOUT_MS_MAX);
const _: () = assert!(
    2 * HEARTBEAT_MS < DEGRADED_MS_MIN,
    "a quiet partner has answered several heartbeats when it counts as healthy again"
);
