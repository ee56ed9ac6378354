//! `flush_all`.

use super::exptime::deadline_ms;
use super::turn::Turn;
use crate::store::{NEVER, Stamp};

/// Kills everything stored so far, now or at a later time; a time in the past means now. Returns
/// the floor if it was raised.
pub fn flush_all(turn: &mut Turn<'_>, exptime: i32) -> Option<Stamp> {
    turn.counters.cmd_flush.count();
    let at_ms = if exptime <= 0 {
        0
    } else {
        deadline_ms(i64::from(exptime), turn.now())
    };
    if at_ms == NEVER || at_ms <= turn.now().boot_ms {
        return Some(turn.store.flush(turn.batch));
    }
    turn.store.flush_later(at_ms);
    None
}
