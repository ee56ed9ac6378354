//! `touch`.

use super::turn::{Turn, count_miss};
use crate::store::Action;

/// Gives an item another deadline; false if there is none. A deadline that has passed is a
/// deletion.
pub fn touch(turn: &mut Turn<'_>, key: &[u8], deadline_ms: u64) -> bool {
    let expires_now = deadline_ms <= turn.now().boot_ms;
    let (found, _) = turn.store.update(key, turn.batch, |entry| match entry {
        Err(miss) => (Action::Keep, Err(miss)),
        Ok(_) if expires_now => (Action::Remove, Ok(())),
        Ok(_) => (Action::Touch(deadline_ms), Ok(())),
    });
    turn.counters.cmd_touch.count();
    match found {
        Ok(()) => turn.counters.touch_hits.count(),
        Err(miss) => {
            turn.counters.touch_misses.count();
            count_miss(turn.counters, miss);
        }
    }
    found.is_ok()
}
