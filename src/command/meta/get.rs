//! `mg`.

use super::time::{after_flag, is_due, left_secs};
use super::{cas_of, status};
use crate::command::output::Output;
use crate::command::turn::{Turn, count_miss};
use crate::protocol::meta::{Request, reply};
use crate::store::{Action, Item, ItemHead, Miss, NEVER, Now, item_flags};

/// Answers `mg`: shows an item, changes its deadline, creates it, says who is to recache it.
pub fn get(turn: &mut Turn<'_>, out: &mut Output, request: &Request<'_>) {
    let options = &request.options;
    let changes =
        options.exptime.is_some() || options.vivify.is_some() || options.recache.is_some();
    let found = if changes || options.history || options.unused {
        get_and_change(turn, out, request)
    } else {
        get_plain(turn, out, request)
    };
    let counters = turn.counters;
    match found {
        Ok(()) if options.exptime.is_some() => {
            counters.cmd_touch.count();
            turn.met().touch_hits.count();
        }
        Ok(()) => {
            counters.cmd_get.count();
            turn.met().get_hits.count();
        }
        Err(miss) => {
            counters.cmd_get.count();
            counters.get_misses.count();
            count_miss(counters, miss);
            if !options.quiet {
                status(&mut out.bytes, "EN", request);
            }
        }
    }
}

/// Only reads, which is cheaper; but a stale item that no client recaches yet needs a mark.
fn get_plain(turn: &mut Turn<'_>, out: &mut Output, request: &Request<'_>) -> Result<(), Miss> {
    let now = turn.now();
    let key = &request.key.bytes;
    let answered = turn.store.read(key, turn.batch, |item| {
        let wins =
            item.item_flags() & (item_flags::STALE | item_flags::TOKEN_SENT) == item_flags::STALE;
        if !wins {
            answer(out, request, &View::of(item, now), now);
        }
        !wins
    })?;
    if answered {
        return Ok(());
    }
    // One lookup is told.
    let observer = turn.batch.observer.take();
    let changed = get_and_change(turn, out, request);
    turn.batch.observer = observer;
    changed
}

fn get_and_change(
    turn: &mut Turn<'_>,
    out: &mut Output,
    request: &Request<'_>,
) -> Result<(), Miss> {
    let now = turn.now();
    let store = turn.store;
    let mut decide = |entry: Result<&Item, Miss>| match entry {
        Ok(item) => {
            let after = answer(out, request, &View::of(item, now), now);
            let is_removal = store.puts_as_removal(after.deadline_ms, now);
            (change(item, request, &after, is_removal), Ok(None))
        }
        Err(miss) if request.options.vivify.is_none() => (Action::Keep, Err(miss)),
        Err(miss) => {
            let head = created_head(request, now);
            let class = store.class_of(&request.key.bytes, &head, 0);
            if store.puts_as_removal(head.deadline_ms, now) {
                return (Action::Remove, Ok(Some((miss, class))));
            }
            match store.pending_item(&request.key.bytes, &head, 0) {
                Ok(draft) => {
                    if !request.options.unused {
                        draft.count_as_read();
                    }
                    (Action::Put(draft), Ok(Some((miss, class))))
                }
                Err(_) => (Action::Keep, Err(miss)),
            }
        }
    };
    let (found, stamp) = turn.retry(
        |turn| store.update(&request.key.bytes, turn.batch, &mut decide),
        |(found, _)| found.is_err(),
    );
    let Some((miss, class)) = found? else {
        return Ok(());
    };
    // What is counted as a hit is the item that was made.
    turn.batch.found_class = class;
    count_miss(turn.counters, miss);
    turn.counters.total_items.count();
    let view = View {
        item: None,
        cas: cas_of(turn, request.options.cas, stamp),
        deadline_ms: NEVER,
        idle_ms: 0,
        item_flags: 0,
    };
    answer(out, request, &view, now);
    Ok(())
}

/// The empty item that `N` creates; whoever asked has won it.
fn created_head(request: &Request<'_>, now: Now) -> ItemHead {
    let letters = request.flags.iter().map(|(letter, _)| letter);
    let deadline_ms = letters.fold(NEVER, |before, letter| {
        after_flag(letter, before, &request.options, true, now)
    });
    ItemHead {
        client_flags: 0,
        deadline_ms,
        item_flags: item_flags::TOKEN_SENT,
        cas: request.options.cas,
    }
}

/// What an answer leaves behind.
struct After {
    deadline_ms: u64,
    won: bool,
}

fn change<'s>(item: &Item, request: &Request<'_>, after: &After, is_removal: bool) -> Action<'s> {
    let options = &request.options;
    if options.exptime.is_some() && is_removal {
        return Action::Remove;
    }
    if options.exptime.is_some() || after.won {
        let won = if after.won { item_flags::TOKEN_SENT } else { 0 };
        return Action::Amend {
            deadline_ms: after.deadline_ms,
            item_flags: item.item_flags() | won,
            is_read: !options.unused,
        };
    }
    if options.unused {
        Action::Keep
    } else {
        Action::Read
    }
}

/// What `mg` shows: an item, or the empty one it has just created.
struct View<'a> {
    item: Option<&'a Item>,
    cas: u64,
    deadline_ms: u64,
    idle_ms: u64,
    item_flags: u8,
}

impl<'a> View<'a> {
    fn of(item: &'a Item, now: Now) -> Self {
        Self {
            item: Some(item),
            cas: item.cas(),
            deadline_ms: item.deadline_ms(),
            idle_ms: item.idle_ms(now),
            item_flags: item.item_flags(),
        }
    }

    fn value_len(&self) -> usize {
        self.item.map_or(0, |item| item.value().len())
    }

    fn key(&self, out: &mut Vec<u8>, request: &Request<'_>) {
        match self.item {
            Some(item) => reply::key(
                out,
                item.key(),
                self.item_flags & item_flags::BASE64_KEY != 0,
            ),
            // As in memcached: the item is made without that mark.
            None => reply::key(out, &request.key.bytes, false),
        }
    }
}

/// Flags are answered and take effect in the order of the request.
fn answer(out: &mut Output, request: &Request<'_>, view: &View<'_>, now: Now) -> After {
    let options = &request.options;
    let created = view.item.is_none();
    let shows_value = options.value && options.compare != Some(view.cas);
    let bytes = &mut out.bytes;
    if shows_value {
        reply::value_head(bytes, view.value_len());
    } else {
        bytes.extend_from_slice(b"HD");
    }
    let token_sent = view.item_flags & item_flags::TOKEN_SENT != 0;
    let stale = view.item_flags & item_flags::STALE != 0;
    let mut won = created || stale && !token_sent;
    let mut deadline_ms = view.deadline_ms;
    for (letter, word) in request.flags.iter() {
        deadline_ms = after_flag(letter, deadline_ms, options, created, now);
        match letter {
            b'R' => won |= !created && !token_sent && is_due(deadline_ms, options.recache, now),
            b's' => reply::number(bytes, b's', view.value_len()),
            b't' if deadline_ms == NEVER => reply::number(bytes, b't', -1),
            b't' => reply::number(bytes, b't', left_secs(deadline_ms, now) as u32),
            b'c' => reply::number(bytes, b'c', view.cas),
            b'f' => reply::number(bytes, b'f', view.item.map_or(0, Item::client_flags)),
            b'l' => reply::number(bytes, b'l', view.idle_ms / 1000),
            b'h' => reply::number(
                bytes,
                b'h',
                u8::from(view.item.is_some_and(Item::is_fetched)),
            ),
            b'O' => reply::echo(bytes, word),
            b'k' => view.key(bytes, request),
            _ => {}
        }
    }
    for (letter, applies) in [(b'Z', token_sent), (b'X', stale), (b'W', won)] {
        if applies {
            reply::flag(bytes, letter);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    if shows_value {
        if let Some(item) = view.item {
            out.push_value(item);
        }
        out.bytes.extend_from_slice(b"\r\n");
    }
    After { deadline_ms, won }
}
