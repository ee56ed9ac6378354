//! `ms`.

use std::cell::Cell;

use super::cas_of;
use super::rewrite::{Rewritten, rewrite};
use super::time::deadline_of;
use crate::command::storage::Stored;
use crate::command::turn::{Told, Turn, count_miss};
use crate::protocol::meta::{Options, Request, reply};
use crate::protocol::text;
use crate::store::{
    Action, Item, ItemHead, ItemSummary, Miss, NEVER, NoRoom, PendingItem, Store, Timestamp,
    Upload, item_flags,
};

/// What `ms` does with what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    /// Only over this CAS unique.
    Cas(u64),
}

impl Mode {
    /// A CAS unique turns `set` and `replace` into `cas`; `add` ignores it.
    fn of(options: &Options) -> Self {
        match (options.mode, options.compare) {
            (Some(b'E'), _) => Self::Add,
            (Some(b'A'), _) => Self::Append,
            (Some(b'P'), _) => Self::Prepend,
            (_, Some(wanted)) => Self::Cas(wanted),
            (Some(b'R'), None) => Self::Replace,
            (_, None) => Self::Set,
        }
    }

    /// What log lines call it.
    fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Prepend => "prepend",
            Self::Cas(_) => "cas",
        }
    }

    fn joins(self) -> bool {
        matches!(self, Self::Append | Self::Prepend)
    }
}

/// Carries out `ms` whose data is at hand, and answers it.
pub fn set(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>, data: &[u8]) {
    let head = item_head(turn, request);
    match turn.draft(&request.key.bytes, &head, data.len()) {
        Err(NoRoom) => refuse_no_memory(turn, out, request),
        Ok(mut draft) => {
            draft.fill(|value| value.copy_from_slice(data));
            put(turn, out, request, draft, data);
        }
    }
}

/// Begins an `ms` whose data has not come in yet, or answers why not.
pub fn begin(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>) -> Option<Upload> {
    let head = item_head(turn, request);
    let key = &request.key.bytes;
    let upload = turn
        .store
        .upload(key, &head, request.data_len, turn.batch)
        .ok();
    if upload.is_none() {
        refuse_no_memory(turn, out, request);
    }
    upload
}

/// Carries out an `ms` whose data has come in over several turns, and answers it.
pub fn set_upload(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>, upload: Upload) {
    let data = if Mode::of(&request.options).joins() {
        upload.value().to_vec()
    } else {
        Vec::new()
    };
    put(
        turn,
        out,
        request,
        upload.into_pending_item(turn.store),
        &data,
    );
}

/// Whatever the mode, an `ms` that is too large leaves nothing behind.
pub fn discard_too_large(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>) {
    turn.counters.store_too_large.count();
    tell_refused(turn, request, Stored::TooLarge);
    discard(turn, request);
    text::reply::line(out, "SERVER_ERROR object too large for cache");
}

/// The same for an `ms` that finds no memory.
pub fn refuse_no_memory(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>) {
    turn.counters.store_no_memory.count();
    tell_refused(turn, request, Stored::NoMemory);
    discard(turn, request);
    text::reply::line(out, "SERVER_ERROR out of memory storing object");
}

fn tell_refused(turn: &Turn<'_>, request: &Request<'_>, stored: Stored) {
    let told = Told {
        command: Mode::of(&request.options).name(),
        deadline_ms: NEVER,
        seen: ItemSummary::default(),
    };
    turn.tell_stored(&request.key.bytes, stored, told);
}

fn discard(turn: &mut Turn<'_>, request: &Request<'_>) {
    turn.store
        .update(&request.key.bytes, turn.batch, |_| (Action::Remove, ()));
}

fn item_head(turn: &Turn<'_>, request: &Request<'_>) -> ItemHead {
    let options = &request.options;
    let creates = Mode::of(options).joins() && options.vivify.is_some();
    let exptime = if creates {
        options.vivify
    } else {
        options.exptime
    };
    ItemHead {
        client_flags: options.client_flags,
        deadline_ms: deadline_of(exptime, turn.now()),
        item_flags: if request.key.is_base64 {
            item_flags::BASE64_KEY
        } else {
            0
        },
        cas: own_cas(options),
    }
}

/// The CAS unique that a client gives its item. To `ms` alone 0 is none: an item of 0 could not be
/// replaced by any `cas`.
fn own_cas(options: &Options) -> Option<u64> {
    options.cas.filter(|&cas| cas != 0)
}

/// What became of it: the stamp and the length of what was put.
type Outcome = (Stored, Option<Miss>, Option<Timestamp>, usize);

fn put(
    turn: &mut Turn<'_>,
    out: &mut Vec<u8>,
    request: &Request<'_>,
    draft: PendingItem<'_>,
    data: &[u8],
) {
    turn.counters.class(draft.class()).cmd_set.count();
    let mode = Mode::of(&request.options);
    let told = Cell::new(Told {
        command: mode.name(),
        deadline_ms: item_head(turn, request).deadline_ms,
        seen: draft.summary(),
    });
    let outcome = if mode.joins() {
        drop(draft);
        join(turn, request, data, mode, &told)
    } else {
        replace(turn, request, draft, mode)
    };
    turn.tell_stored(&request.key.bytes, outcome.0, told.get());
    count(turn, mode, &outcome);
    answer(turn, out, request, &outcome);
}

fn replace(
    turn: &mut Turn<'_>,
    request: &Request<'_>,
    draft: PendingItem<'_>,
    mode: Mode,
) -> Outcome {
    let now = turn.now();
    let deadline_ms = item_head(turn, request).deadline_ms;
    let expired = turn.store.puts_as_removal(deadline_ms, now);
    let mut draft = Some(draft);
    let ((stored, miss), stamp) = turn.store.update(&request.key.bytes, turn.batch, |entry| {
        let miss = entry.err();
        let (action, stored) = match (mode, entry) {
            (Mode::Set, _) | (Mode::Add, Err(_)) | (Mode::Replace, Ok(_)) => {
                (fresh(draft.take(), expired), Stored::Stored(0))
            }
            (Mode::Add, Ok(_)) => (Action::Promote, Stored::NotStored),
            (Mode::Cas(_), Err(_)) => (Action::Keep, Stored::NotFound),
            (Mode::Cas(wanted), Ok(item)) if item.cas() == wanted && wanted != 0 => {
                (fresh(draft.take(), expired), Stored::Stored(0))
            }
            (Mode::Cas(wanted), Ok(item)) if is_stale_write(request, wanted, item) => {
                (stale(draft.take(), item, request), Stored::Stored(0))
            }
            (Mode::Cas(_), Ok(_)) => (Action::Keep, Stored::Exists),
            _ => (Action::Keep, Stored::NotStored),
        };
        (action, (stored, miss))
    });
    (stored, miss, stamp, request.data_len)
}

/// What expires at once only removes what was there.
fn fresh(draft: Option<PendingItem<'_>>, expired: bool) -> Action<'_> {
    match draft {
        Some(draft) if !expired => Action::Put(draft),
        _ => Action::Remove,
    }
}

/// With `I`, a lower CAS unique may write: the value is old, but better than none.
fn is_stale_write(request: &Request<'_>, wanted: u64, item: &Item) -> bool {
    request.options.stale && (1..item.cas()).contains(&wanted)
}

/// The deadline stays and so does who has won the item; it is stale from now on.
fn stale<'s>(draft: Option<PendingItem<'s>>, old: &Item, request: &Request<'_>) -> Action<'s> {
    let Some(draft) = draft else {
        return Action::Keep;
    };
    let own = if request.key.is_base64 {
        item_flags::BASE64_KEY
    } else {
        0
    };
    let kept = old.item_flags() & item_flags::TOKEN_SENT;
    draft.amend(old.deadline_ms(), own | kept | item_flags::STALE);
    Action::Put(draft)
}

/// `append` and `prepend`. With `N` the data alone becomes the item where nothing is.
fn join(
    turn: &mut Turn<'_>,
    request: &Request<'_>,
    data: &[u8],
    mode: Mode,
    told: &Cell<Told>,
) -> Outcome {
    let options = &request.options;
    let (store, now) = (turn.store, turn.now());
    let head = item_head(turn, request);
    let len = Cell::new(data.len());
    let judge = |entry: Result<&Item, Miss>| match (entry, options.compare) {
        (Err(miss), _) if options.vivify.is_none() => Some((Stored::NotStored, Some(miss))),
        (Ok(item), Some(wanted)) if wanted != 0 && store.has_cas() && wanted != item.cas() => {
            Some((Stored::Exists, None))
        }
        _ => None,
    };
    let make = |old: Option<&Item>| match old {
        Some(old) => {
            len.set(old.value().len() + data.len());
            let draft = joined(store, old, data, mode, own_cas(options))?;
            told.set(Told {
                deadline_ms: old.deadline_ms(),
                seen: draft.summary(),
                ..told.get()
            });
            Ok(Action::Put(draft))
        }
        None if store.puts_as_removal(head.deadline_ms, now) => Ok(Action::Remove),
        None => {
            len.set(data.len());
            let mut draft = store.pending_item(&request.key.bytes, &head, data.len())?;
            draft.fill(|value| value.copy_from_slice(data));
            Ok(Action::Put(draft))
        }
    };
    match rewrite(turn, &request.key.bytes, judge, make) {
        Rewritten::Done(stamp) => (Stored::Stored(0), None, stamp, len.get()),
        Rewritten::Left((stored, miss)) => (stored, miss, None, data.len()),
        Rewritten::NoRoom => (Stored::NotStored, None, None, data.len()),
    }
}

/// A new item like the old one, but for its marks: it is neither stale nor won by anybody.
fn joined<'s>(
    store: &'s Store,
    old: &Item,
    data: &[u8],
    mode: Mode,
    cas: Option<u64>,
) -> Result<PendingItem<'s>, NoRoom> {
    let head = ItemHead {
        client_flags: old.client_flags(),
        deadline_ms: old.deadline_ms(),
        item_flags: 0,
        cas,
    };
    let len = old.value().len() + data.len();
    if !store.fits(old.key().len(), old.client_flags(), len) {
        return Err(NoRoom);
    }
    let mut draft = store.pending_item(old.key(), &head, len)?;
    let (first, second) = match mode {
        Mode::Prepend => (data, old.value()),
        _ => (old.value(), data),
    };
    draft.fill(|value| {
        value[..first.len()].copy_from_slice(first);
        value[first.len()..].copy_from_slice(second);
    });
    Ok(draft)
}

fn count(turn: &Turn<'_>, mode: Mode, (stored, miss, ..): &Outcome) {
    let counters = turn.counters;
    if let Some(miss) = *miss {
        count_miss(counters, miss);
    }
    if matches!(stored, Stored::Stored(_)) {
        counters.total_items.count();
    }
    if let Mode::Cas(_) = mode {
        match stored {
            Stored::Stored(_) => turn.met().cas_hits.count(),
            Stored::Exists => turn.met().cas_badval.count(),
            _ => counters.cas_misses.count(),
        }
    }
}

fn answer(turn: &Turn<'_>, out: &mut Vec<u8>, request: &Request<'_>, outcome: &Outcome) {
    let (stored, _, stamp, value_len) = *outcome;
    let options = &request.options;
    let is_stored = matches!(stored, Stored::Stored(_));
    if is_stored && options.quiet {
        return;
    }
    out.extend_from_slice(match stored {
        Stored::Stored(_) => b"HD",
        Stored::Exists => b"EX",
        Stored::NotFound => b"NF",
        _ => b"NS",
    });
    for (letter, word) in request.flags.iter() {
        match letter {
            b'O' => reply::echo(out, word),
            b'k' => reply::key(out, &request.key.bytes, request.key.is_base64),
            b'c' if is_stored => reply::number(out, b'c', cas_of(turn, own_cas(options), stamp)),
            b'c' => reply::number(out, b'c', 0),
            b's' => reply::number(out, b's', value_len),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
}
