//! Deadlines in the seconds of meta flags, and flags in replies.

use crate::command::deadline_ms;
use crate::protocol::meta::{MetaRequest, Options, reply};
use crate::store::{NEVER, Now};

/// Seconds left, rounded up so that what was just set shows as it was set; -1 for ever. Negative
/// once it has passed.
pub(super) fn left_secs(deadline_ms: u64, now: Now) -> i64 {
    if deadline_ms == NEVER {
        return -1;
    }
    now.secs_until(deadline_ms)
}

/// The deadline of an exptime that may be missing, which is for ever.
pub(super) fn deadline_of(exptime: Option<i32>, now: Now) -> u64 {
    deadline_ms(i64::from(exptime.unwrap_or_default()), now)
}

/// The deadline that `T` gives an item.
pub(super) fn touched_deadline_ms(options: &Options, now: Now) -> Option<u64> {
    options.exptime.map(|_| deadline_of(options.exptime, now))
}

/// The deadline of an item that is created, after all flags.
pub(super) fn created_deadline_ms(request: &MetaRequest<'_>, now: Now) -> u64 {
    let letters = request.flags.iter().map(|(letter, _)| letter);
    letters.fold(NEVER, |deadline_ms, letter| {
        after_flag(letter, deadline_ms, &request.options, true, now)
    })
}

/// The deadline after a flag: `T` sets it, `N` only on an item that it has created.
pub(super) fn after_flag(
    letter: u8,
    before_ms: u64,
    options: &Options,
    created: bool,
    now: Now,
) -> u64 {
    match letter {
        b'T' => deadline_of(options.exptime, now),
        b'N' if created => deadline_of(options.vivify, now),
        _ => before_ms,
    }
}

/// `t`: the time left. A negative time is shown unsigned, as in memcached.
pub(super) fn time_left(out: &mut Vec<u8>, deadline_ms: u64, now: Now) {
    match deadline_ms {
        NEVER => reply::number(out, b't', -1),
        _ => reply::number(out, b't', left_secs(deadline_ms, now) as u32),
    }
}

/// A status of two letters, with the flags that answers carry whether an item was found or not.
pub(super) fn status(out: &mut Vec<u8>, words: &str, request: &MetaRequest<'_>) {
    out.extend_from_slice(words.as_bytes());
    for (letter, word) in request.flags.iter() {
        match letter {
            b'O' => reply::echo(out, word),
            b'k' => reply::key(out, &request.key.bytes, request.key.is_base64),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
}
