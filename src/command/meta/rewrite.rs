//! Putting an item that is made of the one it replaces.

use crate::command::turn::Turn;
use crate::limits::OPTIMISTIC_TRIES;
use crate::store::{Action, Item, Miss, NoRoom, OpContext, Timestamp};

/// What became of it.
pub(super) enum Rewritten<R> {
    /// The new item is there.
    Done(Option<Timestamp>),
    /// It was not wanted.
    Left(R),
    /// There is no memory for it.
    NoRoom,
}

/// Makes the new item outside the lock and puts it only if what it was made of is still there; the
/// last try is made under the lock. `judge` says what is to be left alone and why.
pub(super) fn rewrite<'t, R>(
    turn: &mut Turn<'t>,
    key: &[u8],
    judge: impl Fn(Result<&Item, Miss>) -> Option<R>,
    make: impl Fn(Option<&Item>) -> Result<Action<'t>, NoRoom>,
) -> Rewritten<R> {
    turn.retry(
        |turn| rewrite_once(turn, key, &judge, &make),
        |rewritten| matches!(rewritten, Rewritten::NoRoom),
    )
}

fn rewrite_once<'t, R>(
    turn: &mut Turn<'t>,
    key: &[u8],
    judge: &impl Fn(Result<&Item, Miss>) -> Option<R>,
    make: &impl Fn(Option<&Item>) -> Result<Action<'t>, NoRoom>,
) -> Rewritten<R> {
    let store = turn.store;
    for attempt in 0..=OPTIMISTIC_TRIES {
        let mut made = None;
        if attempt < OPTIMISTIC_TRIES {
            let peek = |batch: &mut OpContext| {
                let look = |entry: Result<&Item, Miss>| {
                    let seen = judge(entry).ok_or_else(|| entry.ok().cloned());
                    (Action::Keep, seen)
                };
                store.update(key, batch, look).0
            };
            // One lookup is told.
            let seen = match attempt {
                0 => peek(turn.batch),
                _ => turn.batch.without_observer(peek),
            };
            let seen = match seen {
                Ok(left) => return Rewritten::Left(left),
                Err(seen) => seen,
            };
            turn.count_copied(seen.as_ref().map_or(0, |old| old.value().len()));
            made = Some((seen.as_ref().map(Item::version), make(seen.as_ref())));
        }
        let put = |entry: Result<&Item, Miss>| {
            if let Some(left) = judge(entry) {
                return (Action::Keep, Some(Rewritten::Left(left)));
            }
            let item = entry.ok();
            let version = item.map(Item::version);
            let action = match &mut made {
                Some((of, _)) if *of != version => return (Action::Keep, None),
                Some((_, made)) => std::mem::replace(made, Err(NoRoom)),
                None => make(item),
            };
            match action {
                Ok(action) => (action, Some(Rewritten::Done(None))),
                Err(NoRoom) => (Action::Keep, Some(Rewritten::NoRoom)),
            }
        };
        let (outcome, stamp) = turn
            .batch
            .without_observer(|batch| store.update(key, batch, put));
        match outcome {
            Some(Rewritten::Done(_)) => return Rewritten::Done(stamp),
            Some(other) => return other,
            None => {}
        }
    }
    Rewritten::NoRoom
}
