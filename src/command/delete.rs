//! `delete`.

use super::turn::{Turn, count_miss};
use crate::store::{Action, ItemSummary};

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Deleted,
    /// There was nothing.
    NotFound,
    /// Another version is there.
    Exists,
}

/// Removes an item, or only one of this version if `only_over` is not 0. With a partner an
/// unconditional deletion is news either way: the partner may hold what is not here.
pub fn delete(turn: &mut Turn<'_>, key: &[u8], only_over: u64) -> Deleted {
    if let Some(prefixes) = turn.prefixes.if_on() {
        prefixes.count_delete(key);
    }
    let (found, _) = turn.store.update(key, turn.batch, |entry| match entry {
        Err(miss) if only_over != 0 => (Action::Keep, Err(miss)),
        Err(miss) => (Action::Remove, Err(miss)),
        Ok(item) if only_over != 0 && only_over != item.cas() => (Action::Keep, Ok(None)),
        Ok(item) => (Action::Remove, Ok(Some(ItemSummary::of(item)))),
    });
    match found {
        Ok(Some(seen)) => {
            turn.met().delete_hits.count();
            turn.tell_deleted(key, "delete", seen);
            Deleted::Deleted
        }
        Ok(None) => Deleted::Exists,
        Err(miss) => {
            turn.counters.delete_misses.count();
            count_miss(turn.counters, miss);
            Deleted::NotFound
        }
    }
}
