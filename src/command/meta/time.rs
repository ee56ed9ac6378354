//! Deadlines in the seconds that meta flags speak of.

use crate::command::deadline_ms;
use crate::protocol::meta::Options;
use crate::store::{NEVER, Now};

/// Seconds left, rounded up so that what was just set shows as it was set; -1 for ever. Negative
/// once it has passed.
pub fn left_secs(deadline_ms: u64, now: Now) -> i64 {
    if deadline_ms == NEVER {
        return -1;
    }
    now.secs_until(deadline_ms)
}

/// The deadline of an exptime that may be missing, which is for ever.
pub fn deadline_of(exptime: Option<i32>, now: Now) -> u64 {
    deadline_ms(i64::from(exptime.unwrap_or_default()), now)
}

/// The deadline after a flag: `T` sets it, `N` only on an item that it has created.
pub fn after_flag(letter: u8, before_ms: u64, options: &Options, created: bool, now: Now) -> u64 {
    match letter {
        b'T' => deadline_of(options.exptime, now),
        b'N' if created => deadline_of(options.vivify, now),
        _ => before_ms,
    }
}

/// Whether `R` lets a client recache: less is left than it asks for. What never expires is never
/// recached.
pub(super) fn is_due(item_deadline_ms: u64, recache: Option<i32>, now: Now) -> bool {
    match recache {
        None | Some(0) => false,
        Some(_) if item_deadline_ms == NEVER => false,
        asked => left_secs(item_deadline_ms, now) < left_secs(deadline_of(asked, now), now),
    }
}
