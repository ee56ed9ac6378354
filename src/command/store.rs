//! Storing a value under a key: the one operation behind every storage command.

use std::cell::Cell;

use super::append::join;
use super::context::{CommandContext, count_miss};
use super::outcome::{Put, StoreEvent, Stored};
use super::store_request::{StoreMode, StoreRequest};
use crate::store::{
    Action, Item, ItemSummary, Miss, NEVER, NoRoom, PendingItem, Upload, item_flags,
};

/// Stores a value that has arrived whole.
pub fn store(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &StoreRequest,
    value: &[u8],
) -> Stored {
    match ctx.pending_item(key, &request.head(), value.len()) {
        Err(NoRoom) => refuse(ctx, key, request, Stored::NoMemory),
        Ok(mut pending) => {
            pending.fill(|room| room.copy_from_slice(value));
            put(ctx, key, request, pending, value)
        }
    }
}

/// Begins to store a value that arrives in parts.
pub fn begin(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &StoreRequest,
    value_len: usize,
) -> Result<Upload, Stored> {
    ctx.store
        .upload(key, &request.head(), value_len, ctx.op)
        .map_err(|NoRoom| refuse(ctx, key, request, Stored::NoMemory))
}

/// Stores a value that has arrived in parts.
pub fn finish(ctx: &mut CommandContext<'_>, request: &StoreRequest, upload: Upload) -> Stored {
    let key = upload.key().to_vec();
    let value = request.joins().then(|| upload.value().to_vec());
    let pending = upload.into_pending_item(ctx.store);
    put(ctx, &key, request, pending, &value.unwrap_or_default())
}

/// Refuses a value that is too large or for which there is no memory; returns `why`.
pub fn refuse(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &StoreRequest,
    why: Stored,
) -> Stored {
    match why {
        Stored::TooLarge => ctx.counters.store_too_large.count(),
        _ => ctx.counters.store_no_memory.count(),
    }
    let event = StoreEvent {
        command: request.name(),
        deadline_ms: NEVER,
        seen: ItemSummary::default(),
    };
    ctx.tell_stored(key, why.word(), event);
    if request.refusal_removes {
        ctx.store.update(key, ctx.op, |_| (Action::Remove, ()));
    }
    why
}

fn put(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &StoreRequest,
    pending: PendingItem<'_>,
    value: &[u8],
) -> Stored {
    ctx.counters.class(pending.class()).cmd_set.count();
    let event = Cell::new(StoreEvent {
        command: request.name(),
        deadline_ms: request.deadline_ms,
        seen: pending.summary(),
    });
    let (put, miss) = if request.joins() {
        drop(pending);
        join(ctx, key, request, value, &event)
    } else {
        replace(ctx, key, request, pending)
    };
    let event = event.get();
    let stored = match put {
        Ok(timestamp) => Stored::Stored {
            cas: ctx.cas_of(request.cas, timestamp),
            value_len: event.seen.value_len,
        },
        Err(why) => why,
    };
    count(ctx, request, stored, miss);
    ctx.tell_stored(key, stored.word(), event);
    stored
}

fn count(ctx: &CommandContext<'_>, request: &StoreRequest, stored: Stored, miss: Option<Miss>) {
    let counters = ctx.counters;
    if let Some(miss) = miss {
        count_miss(counters, miss);
    }
    if matches!(stored, Stored::Stored { .. }) {
        counters.total_items.count();
    }
    if request.is_cas() {
        match stored {
            Stored::Stored { .. } => ctx.class_counts().cas_hits.count(),
            Stored::Exists => ctx.class_counts().cas_badval.count(),
            _ => counters.cas_misses.count(),
        }
    }
}

fn replace(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &StoreRequest,
    pending: PendingItem<'_>,
) -> Put {
    use StoreMode::{Add, Replace, Set};
    let is_removal = ctx.store.puts_as_removal(request.deadline_ms, ctx.now());
    // An item that is not stored is freed outside the lock.
    let mut pending = Some(pending);
    let ((put, miss), timestamp) = ctx.store.update(key, ctx.op, |entry| {
        let miss = entry.err();
        let (action, put) = match (request.mode, request.compare, entry) {
            (Set, None, _) | (Add, _, Err(_)) | (Replace, None, Ok(_)) => {
                (fresh(pending.take(), is_removal), Ok(()))
            }
            (Set | Replace, Some(wanted), Ok(item)) if wanted == item.cas() && wanted != 0 => {
                (fresh(pending.take(), is_removal), Ok(()))
            }
            (Set | Replace, Some(wanted), Ok(item)) if request.is_stale(wanted, item) => {
                (stale(pending.take(), item, request), Ok(()))
            }
            (Set | Replace, Some(_), Ok(_)) => (Action::Keep, Err(Stored::Exists)),
            (Set | Replace, Some(_), Err(_)) => (Action::Keep, Err(Stored::NotFound)),
            (Add, _, Ok(_)) => (Action::Promote, Err(Stored::NotStored)),
            _ => (Action::Keep, Err(Stored::NotStored)),
        };
        (action, (put, miss))
    });
    (put.map(|()| timestamp), miss)
}

/// Between two nodes an item that has expired already is a removal.
fn fresh(pending: Option<PendingItem<'_>>, is_removal: bool) -> Action<'_> {
    match pending {
        Some(pending) if !is_removal => Action::Put(pending),
        _ => Action::Remove,
    }
}

/// Keeps the deadline and the token flag of the old item, and flags the new one as stale.
fn stale<'s>(pending: Option<PendingItem<'s>>, old: &Item, request: &StoreRequest) -> Action<'s> {
    let Some(pending) = pending else {
        return Action::Keep;
    };
    let kept = old.item_flags() & item_flags::TOKEN_SENT;
    pending.amend(
        old.deadline_ms(),
        request.item_flags | kept | item_flags::STALE,
    );
    Action::Put(pending)
}
