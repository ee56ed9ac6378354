//! Deleting an item, marking it as stale, or taking its value away.

use std::cell::Cell;

use super::context::{CommandContext, count_miss};
use super::outcome::{STORED, StoreEvent};
use super::rewrite::{Rewritten, rewrite};
use crate::store::{Action, Item, ItemHead, ItemSummary, Miss, NoRoom, Now, Store, item_flags};

/// How to delete an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteRequest {
    /// The CAS unique that the item must have.
    pub compare: Option<u64>,
    /// Keep this of the item instead of removing it.
    pub remains: Option<Remains>,
    /// The name of the command in `watch` events.
    pub name: &'static str,
    /// Count a CAS mismatch in `delete_misses`.
    pub mismatch_is_miss: bool,
}

/// What is kept of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Drop the value and set these client flags; `None` keeps both.
    pub emptied: Option<u32>,
    /// Mark the item as stale.
    pub stale: bool,
    /// The new CAS unique; by default a stale item gets a new one, another keeps its own.
    pub cas: Option<u64>,
    /// A new deadline, in boot-time milliseconds.
    pub deadline_ms: Option<u64>,
}

/// The outcome of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The item is deleted.
    Deleted,
    /// There is no item.
    NotFound,
    /// The CAS unique does not match.
    Exists,
    /// No memory for what is kept.
    NoMemory,
}

/// Why nothing was deleted.
enum Refusal {
    Missing(Miss),
    OtherCas,
    NoRoom,
}

/// Removes an item, or keeps a part of it.
pub fn delete(ctx: &mut CommandContext<'_>, key: &[u8], request: &DeleteRequest) -> Deleted {
    let deleted = match &request.remains {
        None => remove(ctx, key, request),
        Some(remains) => reduce(ctx, key, request, remains),
    };
    let counters = ctx.counters;
    match deleted {
        Ok(seen) => {
            if !request.remains.is_some_and(|remains| remains.stale) {
                ctx.class_counts().delete_hits.count();
                ctx.tell_deleted(key, request.name, seen);
            }
            Deleted::Deleted
        }
        Err(Refusal::OtherCas) => {
            if request.mismatch_is_miss {
                counters.delete_misses.count();
            }
            Deleted::Exists
        }
        Err(Refusal::Missing(miss)) => {
            counters.delete_misses.count();
            count_miss(counters, miss);
            Deleted::NotFound
        }
        Err(Refusal::NoRoom) => Deleted::NoMemory,
    }
}

fn refuse(entry: Result<&Item, Miss>, request: &DeleteRequest) -> Option<Refusal> {
    match entry {
        Err(miss) => Some(Refusal::Missing(miss)),
        Ok(item) if request.compare.is_some_and(|wanted| wanted != item.cas()) => {
            Some(Refusal::OtherCas)
        }
        Ok(_) => None,
    }
}

/// An unconditional deletion is replicated even if the item is missing: the partner may hold it.
fn remove(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &DeleteRequest,
) -> Result<ItemSummary, Refusal> {
    let decide = |entry: Result<&Item, Miss>| match refuse(entry, request) {
        None => (
            Action::Remove,
            Ok(entry.map(ItemSummary::of).unwrap_or_default()),
        ),
        Some(why @ Refusal::Missing(_)) if request.compare.is_none() => (Action::Remove, Err(why)),
        Some(why) => (Action::Keep, Err(why)),
    };
    ctx.store.update(key, ctx.op, decide).0
}

/// An item that loses its value is replaced by a new one, which is logged and counted as both
/// stored and deleted.
fn reduce(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &DeleteRequest,
    remains: &Remains,
) -> Result<ItemSummary, Refusal> {
    let (store, now) = (ctx.store, ctx.now());
    let emptied = Cell::new(None);
    let make = |old: Option<&Item>| match old {
        Some(old) => reduced(store, old, remains, now, &emptied),
        None => Err(NoRoom),
    };
    match rewrite(ctx, key, |entry| refuse(entry, request), make) {
        Rewritten::Done(_) => {}
        Rewritten::Refused(why) => return Err(why),
        Rewritten::NoRoom => return Err(Refusal::NoRoom),
    }
    if remains.emptied.is_some() {
        ctx.counters.total_items.count();
    }
    let Some(event) = emptied.get() else {
        return Ok(ItemSummary::default());
    };
    ctx.op.found_class = event.seen.class;
    ctx.tell_stored(key, STORED, event);
    Ok(event.seen)
}

/// An emptied item is a new one with the old CAS unique. A stale item is the same one with a new
/// CAS unique and without a winner.
fn reduced<'s>(
    store: &'s Store,
    old: &Item,
    remains: &Remains,
    now: Now,
    emptied: &Cell<Option<StoreEvent>>,
) -> Result<Action<'s>, NoRoom> {
    let mut head = ItemHead {
        client_flags: remains.emptied.unwrap_or_else(|| old.client_flags()),
        deadline_ms: remains.deadline_ms.unwrap_or_else(|| old.deadline_ms()),
        item_flags: if remains.emptied.is_some() {
            0
        } else {
            old.item_flags()
        },
        cas: remains.cas,
    };
    if remains.stale {
        head.item_flags = (head.item_flags | item_flags::STALE) & !item_flags::TOKEN_SENT;
    } else {
        head.cas = head.cas.or_else(|| Some(old.inherited_cas()));
    }
    if store.puts_as_removal(head.deadline_ms, now) {
        return Ok(Action::Remove);
    }
    let value = match remains.emptied {
        Some(_) => &[],
        None => old.value(),
    };
    let mut pending = store.pending_item(old.key(), &head, value.len())?;
    pending.fill(|bytes| bytes.copy_from_slice(value));
    if remains.emptied.is_some() {
        emptied.set(Some(StoreEvent {
            command: "set",
            deadline_ms: head.deadline_ms,
            seen: pending.summary(),
        }));
    } else {
        pending.keep_history_of(old);
    }
    Ok(Action::Put(pending))
}
