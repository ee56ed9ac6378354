//! `md`: deletes, or marks as stale, or takes the value away.

use std::cell::Cell;

use super::rewrite::{Rewritten, rewrite};
use super::status;
use super::time::deadline_of;
use crate::command::storage::Stored;
use crate::command::turn::{Told, Turn, count_miss};
use crate::protocol::meta::{Options, Request};
use crate::protocol::text::reply;
use crate::store::{Action, Item, ItemHead, ItemSummary, Miss, NoRoom, Now, Store, item_flags};

/// Why nothing was deleted.
enum Left {
    Missing(Miss),
    OtherCas,
}

/// Answers `md`.
pub fn delete(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>) {
    let options = &request.options;
    let deleted = if options.stale || options.remove_value {
        let (store, now) = (turn.store, turn.now());
        let emptied = Cell::new(None);
        let make = |old: Option<&Item>| match old {
            Some(old) => remains(store, old, options, now, &emptied),
            None => Err(NoRoom),
        };
        match rewrite(
            turn,
            &request.key.bytes,
            |entry| judge(entry, options),
            make,
        ) {
            Rewritten::Done(_) => Ok(tell_emptied(turn, request, emptied.get())),
            Rewritten::Left(left) => Err(left),
            Rewritten::NoRoom => return reply::line(out, "SERVER_ERROR out of memory"),
        }
    } else {
        remove(turn, request)
    };
    let counters = turn.counters;
    match deleted {
        Ok(seen) => {
            if options.remove_value {
                counters.total_items.count();
            }
            if !options.stale {
                turn.met().delete_hits.count();
                turn.tell_deleted(&request.key.bytes, "md", seen);
            }
            if !options.quiet {
                status(out, "HD", request);
            }
        }
        Err(Left::OtherCas) => {
            counters.delete_misses.count();
            status(out, "EX", request);
        }
        Err(Left::Missing(miss)) => {
            counters.delete_misses.count();
            count_miss(counters, miss);
            status(out, "NF", request);
        }
    }
}

fn judge(entry: Result<&Item, Miss>, options: &Options) -> Option<Left> {
    match entry {
        Err(miss) => Some(Left::Missing(miss)),
        Ok(item) if options.compare.is_some_and(|wanted| wanted != item.cas()) => {
            Some(Left::OtherCas)
        }
        Ok(_) => None,
    }
}

/// An item without its value is a new one; it is what is told and counted as deleted, too.
fn tell_emptied(turn: &mut Turn<'_>, request: &Request<'_>, emptied: Option<Told>) -> ItemSummary {
    if let Some(told) = emptied {
        turn.batch.found_class = told.seen.class;
        turn.tell_stored(&request.key.bytes, Stored::Stored(0), told);
    }
    emptied.map(|told| told.seen).unwrap_or_default()
}

/// With a partner a deletion is news even where nothing was: the partner may hold the item.
fn remove(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<ItemSummary, Left> {
    let options = &request.options;
    let decide = |entry: Result<&Item, Miss>| match judge(entry, options) {
        None => (
            Action::Remove,
            Ok(entry.map(ItemSummary::of).unwrap_or_default()),
        ),
        Some(left @ Left::Missing(_)) if options.compare.is_none() => (Action::Remove, Err(left)),
        Some(left) => (Action::Keep, Err(left)),
    };
    turn.store.update(&request.key.bytes, turn.batch, decide).0
}

/// What stays of an item: without its value it is a new one of the old CAS unique; stale it is the
/// same one with a new CAS unique, and the next reader wins it.
fn remains<'s>(
    store: &'s Store,
    old: &Item,
    options: &Options,
    now: Now,
    emptied_as: &Cell<Option<Told>>,
) -> Result<Action<'s>, NoRoom> {
    let emptied = options.remove_value;
    let mut head = ItemHead {
        client_flags: old.client_flags(),
        deadline_ms: old.deadline_ms(),
        item_flags: old.item_flags(),
        cas: options.cas,
    };
    if emptied {
        head.client_flags = options.client_flags;
        head.item_flags = 0;
    }
    if emptied || options.exptime.is_some() {
        head.deadline_ms = deadline_of(options.exptime, now);
    }
    if options.stale {
        head.item_flags = (head.item_flags | item_flags::STALE) & !item_flags::TOKEN_SENT;
    } else {
        head.cas = head.cas.or_else(|| Some(old.inherited_cas()));
    }
    if store.puts_as_removal(head.deadline_ms, now) {
        return Ok(Action::Remove);
    }
    let value = if emptied { &[] } else { old.value() };
    let mut draft = store.pending_item(old.key(), &head, value.len())?;
    draft.fill(|bytes| bytes.copy_from_slice(value));
    if emptied {
        emptied_as.set(Some(Told {
            command: "set",
            deadline_ms: head.deadline_ms,
            seen: draft.summary(),
        }));
    } else {
        draft.keep_history_of(old);
    }
    Ok(Action::Put(draft))
}
