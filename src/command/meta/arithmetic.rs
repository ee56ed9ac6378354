//! `ma`.

use std::cell::Cell;

use super::time::{after_flag, left_secs};
use super::{cas_of, status};
use crate::command::arithmetic::{number_of, with_number};
use crate::command::storage::Stored;
use crate::command::turn::{Told, Turn, count_miss};
use crate::protocol::meta::{Options, Request, reply};
use crate::protocol::text;
use crate::store::{Action, Item, ItemHead, Miss, NEVER, NoRoom, Now, Store, Timestamp};

/// What became of it.
enum Outcome {
    Done(Done),
    NotFound,
    OtherCas,
    NonNumeric,
    NoMemory,
}

/// A number that was put.
struct Done {
    number: u64,
    /// Before the flags of this request.
    deadline_ms: u64,
    created: bool,
    /// Whether it took a new item: it is created or longer.
    is_new: bool,
}

/// Answers `ma`.
pub fn arithmetic(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>) {
    let options = &request.options;
    let incr = !matches!(options.mode, Some(b'D' | b'-'));
    let (store, now) = (turn.store, turn.now());
    let told = Cell::new(None);
    let decide = |entry: Result<&Item, Miss>| match entry {
        Ok(item) => {
            let (action, outcome) = change(store, item, request, incr, now);
            (action, (outcome, None))
        }
        Err(miss) => {
            let (action, outcome) = create(store, request, now, &told);
            (action, (outcome, Some(miss)))
        }
    };
    let ((outcome, miss), stamp) = turn.retry(
        |turn| store.update(&request.key.bytes, turn.batch, decide),
        |((outcome, _), _)| matches!(outcome, Outcome::NoMemory),
    );
    count(turn, &outcome, miss, incr);
    if let Some(told) = told.get() {
        turn.tell_stored(&request.key.bytes, Stored::Stored(0), told);
    }
    match outcome {
        Outcome::Done(done) => {
            if !options.quiet {
                answer(turn, out, request, &done, stamp);
            }
        }
        Outcome::NotFound => status(out, "NF", request),
        Outcome::OtherCas => status(out, "EX", request),
        Outcome::NonNumeric => text::reply::line(
            out,
            "CLIENT_ERROR cannot increment or decrement non-numeric value",
        ),
        Outcome::NoMemory if miss.is_none() => {
            text::reply::line(out, "SERVER_ERROR out of memory");
        }
        Outcome::NoMemory => {
            text::reply::line(out, "SERVER_ERROR Out of memory allocating new item");
        }
    }
}

fn count(turn: &Turn<'_>, outcome: &Outcome, miss: Option<Miss>, incr: bool) {
    let counters = turn.counters;
    if let Some(miss) = miss {
        count_miss(counters, miss);
    }
    if let Outcome::Done(Done { is_new: true, .. }) = outcome {
        counters.total_items.count();
    }
    match (outcome, incr) {
        (Outcome::Done(Done { created: true, .. }), _) => {}
        (Outcome::Done(_), true) => turn.met().incr_hits.count(),
        (Outcome::Done(_), false) => turn.met().decr_hits.count(),
        (Outcome::NotFound, true) => counters.incr_misses.count(),
        (Outcome::NotFound, false) => counters.decr_misses.count(),
        _ => {}
    }
}

fn change<'s>(
    store: &'s Store,
    item: &Item,
    request: &Request<'_>,
    incr: bool,
    now: Now,
) -> (Action<'s>, Outcome) {
    let options = &request.options;
    let other_cas = options
        .compare
        .is_some_and(|wanted| wanted != 0 && wanted != item.cas());
    if other_cas && !item.value().is_empty() {
        return (Action::Keep, Outcome::OtherCas);
    }
    let Some(number) = number_of(item) else {
        return (Action::Keep, Outcome::NonNumeric);
    };
    let delta = options.delta.unwrap_or(1);
    let number = if incr {
        number.wrapping_add(delta)
    } else {
        number.saturating_sub(delta)
    };
    let before_ms = item.deadline_ms();
    let deadline_ms = final_deadline(request, before_ms, false, now);
    let done = |is_new| {
        Outcome::Done(Done {
            number,
            deadline_ms: before_ms,
            created: false,
            is_new,
        })
    };
    if store.puts_as_removal(deadline_ms, now) {
        return (Action::Remove, done(false));
    }
    match with_number(store, item, number, deadline_ms, options.cas) {
        Ok((draft, grown)) => (Action::Put(draft), done(grown)),
        Err(NoRoom) => (Action::Keep, Outcome::NoMemory),
    }
}

/// With `N` a missing item is created with the number of `J`.
fn create<'s>(
    store: &'s Store,
    request: &Request<'_>,
    now: Now,
    told: &Cell<Option<Told>>,
) -> (Action<'s>, Outcome) {
    let Options {
        vivify,
        cas,
        initial,
        ..
    } = request.options;
    if vivify.is_none() {
        return (Action::Keep, Outcome::NotFound);
    }
    let head = ItemHead {
        deadline_ms: final_deadline(request, NEVER, true, now),
        cas,
        ..ItemHead::default()
    };
    let done = Outcome::Done(Done {
        number: initial,
        deadline_ms: NEVER,
        created: true,
        is_new: true,
    });
    if store.puts_as_removal(head.deadline_ms, now) {
        return (Action::Remove, done);
    }
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(initial).as_bytes();
    match store.pending_item(&request.key.bytes, &head, digits.len()) {
        Ok(mut draft) => {
            draft.fill(|value| value.copy_from_slice(digits));
            // To memcached this is an `add`.
            told.set(Some(Told {
                command: "add",
                // Which does not know its time yet.
                deadline_ms: NEVER,
                seen: draft.summary(),
            }));
            (Action::Put(draft), done)
        }
        Err(NoRoom) => (Action::Keep, Outcome::NoMemory),
    }
}

fn final_deadline(request: &Request<'_>, before_ms: u64, created: bool, now: Now) -> u64 {
    request
        .flags
        .iter()
        .fold(before_ms, |deadline_ms, (letter, _)| {
            after_flag(letter, deadline_ms, &request.options, created, now)
        })
}

/// Flags are answered in the order of the request: `t` before `T` shows the deadline before it.
fn answer(
    turn: &Turn<'_>,
    out: &mut Vec<u8>,
    request: &Request<'_>,
    done: &Done,
    stamp: Option<Timestamp>,
) {
    let now = turn.now();
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(done.number).as_bytes();
    if request.options.value {
        reply::value_head(out, digits.len());
    } else {
        out.extend_from_slice(b"HD");
    }
    let mut deadline_ms = done.deadline_ms;
    for (letter, word) in request.flags.iter() {
        deadline_ms = after_flag(letter, deadline_ms, &request.options, done.created, now);
        match letter {
            b'c' => reply::number(out, b'c', cas_of(turn, request.options.cas, stamp)),
            b't' if deadline_ms == NEVER => reply::number(out, b't', -1),
            b't' => reply::number(out, b't', left_secs(deadline_ms, now) as u32),
            b'O' => reply::echo(out, word),
            b'k' => reply::key(out, &request.key.bytes, request.key.is_base64),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    if request.options.value {
        out.extend_from_slice(digits);
        out.extend_from_slice(b"\r\n");
    }
}
