//! Replacing an item by one that is made from it.

use super::context::CommandContext;
use crate::limits::OPTIMISTIC_TRIES;
use crate::store::{Action, Item, Miss, NoRoom, OpContext, Timestamp};

/// The outcome of a rewrite.
pub(super) enum Rewritten<R> {
    /// The new item is stored.
    Done(Option<Timestamp>),
    /// The entry is not to be rewritten for this reason.
    Refused(R),
    /// There is no memory for the new item.
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
            let peek = |op: &mut OpContext| {
                let look = |entry: Result<&Item, Miss>| {
                    let old = refuse(entry).ok_or_else(|| entry.ok().cloned());
                    (Action::Keep, old)
                };
                store.update(key, op, look).0
            };
            // Watchers see one lookup per command.
            let peeked = match attempt {
                0 => peek(ctx.op),
                _ => ctx.op.without_observer(peek),
            };
            let old = match peeked {
                Ok(why) => return Rewritten::Refused(why),
                Err(old) => old,
            };
            ctx.count_copied(old.as_ref().map_or(0, |item| item.value().len()));
            made = Some((old.as_ref().map(Item::version), make(old.as_ref())));
        }
        let put = |entry: Result<&Item, Miss>| {
            if let Some(why) = refuse(entry) {
                return (Action::Keep, Some(Rewritten::Refused(why)));
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
        let (outcome, timestamp) = ctx.op.without_observer(|op| store.update(key, op, put));
        match outcome {
            Some(Rewritten::Done(_)) => return Rewritten::Done(timestamp),
            Some(other) => return other,
            None => {}
        }
    }
    Rewritten::NoRoom
}
