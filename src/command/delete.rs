//! `delete`.

use super::turn::{Turn, count_miss};
use crate::store::Action;

/// Removes an item; false if there was none. With a partner the deletion is news either way: the
/// partner may hold what is not here.
pub fn delete(turn: &mut Turn<'_>, key: &[u8]) -> bool {
    let (found, _) = turn
        .store
        .update(key, turn.batch, |entry| (Action::Remove, entry.map(|_| ())));
    match found {
        Ok(()) => turn.counters.delete_hits.count(),
        Err(miss) => {
            turn.counters.delete_misses.count();
            count_miss(turn.counters, miss);
        }
    }
    found.is_ok()
}
