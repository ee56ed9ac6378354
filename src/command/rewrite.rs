//! Replacing an item by one that is made from it.

use super::context::CommandContext;
use crate::limits::OPTIMISTIC_TRIES;
use crate::store::{Action, Batch, Item, Miss, NoRoom, Stamp};

/// The outcome of a rewrite.
pub(super) enum Rewritten<R> {
    /// The new item is there.
    Done(Option<Stamp>),
    /// Refused for this reason.
    Left(R),
    /// There is no memory for it.
    NoRoom,
}

/// Makes the new item outside the lock and puts it only if the old one has not changed meanwhile;
/// the last try is made under the lock. `refuse` returns why an entry is not to be rewritten.
pub(super) fn rewrite<'t, R>(
    ctx: &mut CommandContext<'t>,
    key: &[u8],
    refuse: impl Fn(Result<&Item, Miss>) -> Option<R>,
    make: impl Fn(Option<&Item>) -> Result<Action<'t>, NoRoom>,
) -> Rewritten<R> {
    ctx.retry(
        |ctx| rewrite_once(ctx, key, &refuse, &make),
        |rewritten| matches!(rewritten, Rewritten::NoRoom),
    )
}

fn rewrite_once<'t, R>(
    ctx: &mut CommandContext<'t>,
    key: &[u8],
    refuse: &impl Fn(Result<&Item, Miss>) -> Option<R>,
    make: &impl Fn(Option<&Item>) -> Result<Action<'t>, NoRoom>,
) -> Rewritten<R> {
    let store = ctx.store;
    for attempt in 0..=OPTIMISTIC_TRIES {
        let mut made = None;
        if attempt < OPTIMISTIC_TRIES {
            let peek = |batch: &mut Batch| {
                let look = |entry: Result<&Item, Miss>| {
                    let seen = refuse(entry).ok_or_else(|| entry.ok().cloned());
                    (Action::Keep, seen)
                };
                store.update(key, batch, look).0
            };
            // Watchers see one lookup per command.
            let seen = match attempt {
                0 => peek(ctx.batch),
                _ => ctx.batch.unseen(peek),
            };
            let seen = match seen {
                Ok(left) => return Rewritten::Left(left),
                Err(seen) => seen,
            };
            ctx.count_copied(seen.as_ref().map_or(0, |old| old.value().len()));
            made = Some((seen.as_ref().map(Item::version), make(seen.as_ref())));
        }
        let put = |entry: Result<&Item, Miss>| {
            if let Some(left) = refuse(entry) {
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
        let (outcome, stamp) = ctx.batch.unseen(|batch| store.update(key, batch, put));
        match outcome {
            Some(Rewritten::Done(_)) => return Rewritten::Done(stamp),
            Some(other) => return other,
            None => {}
        }
    }
    Rewritten::NoRoom
}
