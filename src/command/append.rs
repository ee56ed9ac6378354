//! `append` and `prepend`.

use std::cell::Cell;

use super::context::CommandContext;
use super::outcome::{Put, StoreEvent, Stored};
use super::rewrite::{Rewritten, rewrite};
use super::store_request::{StoreMode, StoreRequest};
use crate::store::{Action, Item, ItemHead, Miss, NoRoom, PendingItem, Store};

/// Replaces the item by a longer one, and describes that one in `event`.
pub(super) fn join(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &StoreRequest,
    value: &[u8],
    event: &Cell<StoreEvent>,
) -> Put {
    let (store, now) = (ctx.store, ctx.now());
    let of_value = event.get();
    let refuse = |entry: Result<&Item, Miss>| match (entry, request.compare) {
        (Err(miss), _) if !request.vivify => Some((Stored::NotStored, Some(miss))),
        (Ok(item), Some(wanted)) if wanted != 0 && store.has_cas() && wanted != item.cas() => {
            Some((Stored::Exists, None))
        }
        _ => None,
    };
    let make = |old: Option<&Item>| match old {
        Some(old) => {
            let pending = joined(store, old, request, value)?;
            event.set(StoreEvent {
                deadline_ms: old.deadline_ms(),
                seen: pending.summary(),
                ..of_value
            });
            Ok(Action::Put(pending))
        }
        None if store.puts_as_removal(request.deadline_ms, now) => Ok(Action::Remove),
        None => {
            event.set(of_value);
            let mut pending = store.pending_item(key, &request.head(), value.len())?;
            pending.fill(|room| room.copy_from_slice(value));
            Ok(Action::Put(pending))
        }
    };
    match rewrite(ctx, key, refuse, make) {
        Rewritten::Done(timestamp) => (Ok(timestamp), None),
        Rewritten::Refused((why, miss)) => (Err(why), miss),
        Rewritten::NoRoom => (Err(Stored::NotStored), None),
    }
}

/// A new item with the old one's flags and deadline, but without its stale and token flags.
fn joined<'s>(
    store: &'s Store,
    old: &Item,
    request: &StoreRequest,
    value: &[u8],
) -> Result<PendingItem<'s>, NoRoom> {
    let head = ItemHead {
        client_flags: old.client_flags(),
        deadline_ms: old.deadline_ms(),
        item_flags: 0,
        cas: request.cas,
    };
    let len = old.value().len() + value.len();
    if !store.fits(old.key().len(), old.client_flags(), len) {
        return Err(NoRoom);
    }
    let mut pending = store.pending_item(old.key(), &head, len)?;
    let (first, second) = match request.mode {
        StoreMode::Prepend => (value, old.value()),
        _ => (old.value(), value),
    };
    pending.fill(|room| {
        room[..first.len()].copy_from_slice(first);
        room[first.len()..].copy_from_slice(second);
    });
    Ok(pending)
}
