//! Asking the partner for keys that this node may lack.

use super::{DIRTY_KEYS_MIN, FRAME_BYTES_MAX};

/// How long a read waits for the partner: half of the second after which memcached-session-manager
/// gives a read up, which leaves it time to ask elsewhere.
pub(crate) const ASK_READ_MS: u64 = 500;
/// And a command that writes: memcached-session-manager gives those up after 100 ms.
pub(crate) const ASK_WRITE_MS: u64 = 70;
/// Keys of one command that are asked for, and of one frame. A `get` with more goes on with the
/// rest once these are answered.
pub(crate) const ASK_KEYS_MAX: usize = 1024;
/// Frames of such keys that are not answered. The partner keeps no more.
pub(crate) const ASKS_UNDER_WAY_MAX: usize = 16;
/// Commands that wait for the link to take their keys: more than a worker has connections that are
/// served in one millisecond. One more is not answered.
pub(crate) const ASK_QUEUE_MAX: usize = 4096;

const _: () = assert!(ASK_KEYS_MAX * 8 + 64 <= FRAME_BYTES_MAX);
// What is asked for waits among the dirty keys.
const _: () = assert!(ASK_KEYS_MAX < DIRTY_KEYS_MIN);
const _: () = assert!(ASK_WRITE_MS < ASK_READ_MS);
