//! Lookups. `show` runs under the lock of the item's shard.
//!
//! Stale items have one winner: a deletion may flag an item as stale; the first `mg` that finds it
//! wins it and sets the flag "token sent", so that later ones do not. Item flags are changed like
//! deadlines, with a timestamp of their own, so that they are replicated.

use super::context::{CommandContext, count_miss};
use super::get_request::{Found, GetRequest, Vivify};
use crate::store::{Action, Item, ItemHead, Miss, Now, Store, item_flags};

/// `get`: shows an item; false if there is none.
pub fn get(ctx: &mut CommandContext<'_>, key: &[u8], show: impl FnOnce(&Item)) -> bool {
    let found = ctx.store.read(key, ctx.op, show);
    ctx.prefixes.count_get(key, found.is_ok());
    count(ctx, false, found)
}

/// `gat`: shows an item after giving it a new deadline; false if there is none.
pub fn get_and_touch(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    deadline_ms: u64,
    mut show: impl FnMut(&Item),
) -> bool {
    let request = GetRequest {
        touch: Some(deadline_ms),
        ..GetRequest::default()
    };
    let is_found = retrieve(ctx, key, &request, |found| {
        if let Some(item) = found.item {
            show(item);
        }
    });
    ctx.prefixes.count_get(key, is_found);
    is_found
}

/// `touch`: sets the deadline of an item; false if there is none.
pub fn touch(ctx: &mut CommandContext<'_>, key: &[u8], deadline_ms: u64) -> bool {
    let request = GetRequest {
        touch: Some(deadline_ms),
        ..GetRequest::default()
    };
    retrieve(ctx, key, &request, |_| {})
}

/// `mg`: shows an item, changes it or creates it; false if there is none.
pub fn retrieve(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &GetRequest,
    mut show: impl FnMut(&Found<'_>),
) -> bool {
    let found = if request.only_reads() {
        read(ctx, key, request, &mut show)
    } else {
        change(ctx, key, request, &mut show)
    };
    let is_get = found.is_err() && request.missed_touch_is_get;
    count(ctx, request.touch.is_some() && !is_get, found)
}

/// `me`: shows an item without counting as a use; false if there is none.
pub fn inspect(ctx: &mut CommandContext<'_>, key: &[u8], show: impl FnOnce(&Item)) -> bool {
    let look = |entry: Result<&Item, Miss>| (Action::Keep, entry.map(show));
    let (found, _) = ctx.store.update(key, ctx.op, look);
    ctx.counters.cmd_meta.count();
    if let Err(miss) = found {
        count_miss(ctx.counters, miss);
    }
    found.is_ok()
}

fn count(ctx: &CommandContext<'_>, is_touch: bool, found: Result<(), Miss>) -> bool {
    let counters = ctx.counters;
    let all = if is_touch {
        &counters.cmd_touch
    } else {
        &counters.cmd_get
    };
    all.count();
    match (found, is_touch) {
        (Ok(()), true) => ctx.class_counts().touch_hits.count(),
        (Ok(()), false) => ctx.class_counts().get_hits.count(),
        (Err(_), true) => counters.touch_misses.count(),
        (Err(_), false) => counters.get_misses.count(),
    }
    if let Err(miss) = found {
        count_miss(counters, miss);
    }
    found.is_ok()
}

/// Only reads, which is cheaper, unless the item is won and has to be marked.
fn read(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &GetRequest,
    show: &mut impl FnMut(&Found<'_>),
) -> Result<(), Miss> {
    let now = ctx.now();
    let is_shown = ctx.store.read(key, ctx.op, |item| {
        let found = Found::of(item, request, now);
        if !found.won {
            show(&found);
        }
        !found.won
    })?;
    if is_shown {
        return Ok(());
    }
    // Watchers see one lookup per command.
    let observer = ctx.op.observer.take();
    let changed = change(ctx, key, request, show);
    ctx.op.observer = observer;
    changed
}

fn change(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &GetRequest,
    show: &mut impl FnMut(&Found<'_>),
) -> Result<(), Miss> {
    let (store, now) = (ctx.store, ctx.now());
    let mut decide = |entry: Result<&Item, Miss>| match (entry, &request.vivify) {
        (Ok(item), _) => {
            let found = Found::of(item, request, now);
            show(&found);
            let deadline_ms = request.touch.unwrap_or_else(|| item.deadline_ms());
            let is_removal = store.puts_as_removal(deadline_ms, now);
            (changed(item, request, found.won, is_removal), Ok(None))
        }
        (Err(miss), None) => (Action::Keep, Err(miss)),
        (Err(miss), Some(vivify)) => match create(store, key, vivify, request.is_unused, now) {
            Some((action, class)) => (action, Ok(Some((miss, class)))),
            None => (Action::Keep, Err(miss)),
        },
    };
    let (found, timestamp) = ctx.retry(
        |ctx| store.update(key, ctx.op, &mut decide),
        |(found, _)| found.is_err(),
    );
    if let Some((miss, class)) = found? {
        // The hit counts for the class of the new item.
        ctx.op.found_class = class;
        count_miss(ctx.counters, miss);
        ctx.counters.total_items.count();
        let cas = request.vivify.and_then(|vivify| vivify.cas);
        show(&Found::created(ctx.cas_of(cas, timestamp)));
    }
    Ok(())
}

fn changed<'s>(item: &Item, request: &GetRequest, won: bool, is_removal: bool) -> Action<'s> {
    match request.touch {
        Some(_) if is_removal => Action::Remove,
        Some(deadline_ms) if !won && !request.is_unused => Action::Touch(deadline_ms),
        None if !won && request.is_unused => Action::Keep,
        None if !won => Action::Read,
        touch => Action::Amend {
            deadline_ms: touch.unwrap_or_else(|| item.deadline_ms()),
            item_flags: item.item_flags() | if won { item_flags::TOKEN_SENT } else { 0 },
            is_read: !request.is_unused,
        },
    }
}

/// The empty item of a key and its class; `None` if there is no memory for it.
fn create<'s>(
    store: &'s Store,
    key: &[u8],
    vivify: &Vivify,
    is_unused: bool,
    now: Now,
) -> Option<(Action<'s>, u8)> {
    let head = ItemHead {
        client_flags: 0,
        deadline_ms: vivify.deadline_ms,
        item_flags: item_flags::TOKEN_SENT,
        cas: vivify.cas,
    };
    let class = store.class_of(key, &head, 0);
    if store.puts_as_removal(head.deadline_ms, now) {
        return Some((Action::Remove, class));
    }
    let pending = store.pending_item(key, &head, 0).ok()?;
    if !is_unused {
        pending.count_as_read();
    }
    Some((Action::Put(pending), class))
}
