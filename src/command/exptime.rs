//! Expiry times as clients write them (reference: memcached's `realtime`).

use crate::limits::RELATIVE_EXPTIME_SECS_MAX;
use crate::store::{NEVER, Now};

/// The deadline on the boot-time clock: 0 is never, a negative time has passed, up to 30 days are
/// relative, more is a Unix time.
pub fn deadline_ms(exptime: i64, now: Now) -> u64 {
    match exptime {
        0 => NEVER,
        ..0 => 0,
        1..=RELATIVE_EXPTIME_SECS_MAX => now.boot_ms + exptime as u64 * 1000,
        _ => {
            let left_ms = exptime * 1000 - now.unix_ms() as i64;
            if left_ms <= 0 {
                0
            } else {
                now.boot_ms + left_ms as u64
            }
        }
    }
}

/// A deadline as the Unix time that clients are shown, to the nearest second; `None` is never.
///
/// It does not depend on when it is asked for. The nearest second is the one that a client has
/// set, though the wall clock has been set by some milliseconds since, or was the partner's.
pub fn expires_unix_secs(deadline_ms: u64, now: Now) -> Option<u64> {
    (deadline_ms != NEVER).then(|| (now.unix_ms_at(deadline_ms) + 500) / 1000)
}

/// Whether a deadline is earlier than another, in whole seconds.
pub(super) fn is_due(deadline_ms: u64, before_ms: u64, now: Now) -> bool {
    deadline_ms != NEVER && now.secs_until(deadline_ms) < now.secs_until(before_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_are_relative_and_a_second_more_is_1970() {
        let now = Now::of(5_000, 200_000_000_000);
        assert_eq!(deadline_ms(0, now), NEVER);
        assert_eq!(deadline_ms(-1, now), 0);
        assert_eq!(deadline_ms(2_592_000, now), 5_000 + 2_592_000_000);
        assert_eq!(deadline_ms(2_592_001, now), 0);
        let tomorrow = now.unix_secs() as i64 + 86_400;
        assert_eq!(deadline_ms(tomorrow, now), 5_000 + 86_400_000);
    }
}
