//! `set`, `add`, `replace`, `append`, `prepend`, `cas`.

use super::exptime::deadline_ms;
use super::turn::{Told, Turn, count_miss};
use crate::limits::OPTIMISTIC_TRIES;
use crate::protocol::text::{Storage, Verb};
use crate::store::{
    Action, Item, ItemHead, ItemSummary, Miss, NEVER, NoRoom, OpContext, PendingItem, Store, Upload,
};

/// What became of a storage command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the table, with this CAS unique; 0 if its time was over when it came.
    Stored(u64),
    /// The condition did not hold.
    NotStored,
    /// Another version is there.
    Exists,
    /// Nothing is there.
    NotFound,
    /// Larger than `-I`.
    TooLarge,
    /// No memory.
    NoMemory,
}

impl Stored {
    /// As log lines call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stored(_) => "stored",
            Self::NotStored => "not_stored",
            Self::Exists => "exists",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::NoMemory => "no_memory",
        }
    }
}

/// What log lines call a command.
fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Set => "set",
        Verb::Add => "add",
        Verb::Replace => "replace",
        Verb::Append => "append",
        Verb::Prepend => "prepend",
        Verb::Cas(_) => "cas",
    }
}

/// Carries out a command whose data is at hand.
pub fn store(turn: &mut Turn<'_>, request: &Storage<'_>, data: &[u8]) -> Stored {
    count_prefix(turn, request);
    let head = item_head(turn, request);
    let drafted = match turn.draft(request.key, &head, data.len()) {
        Err(NoRoom) => return refuse_no_memory(turn, request),
        Ok(mut draft) => {
            draft.fill(|value| value.copy_from_slice(data));
            draft
        }
    };
    put(turn, request, drafted, data)
}

/// Begins a command whose data has not come in yet.
pub fn begin(turn: &mut Turn<'_>, request: &Storage<'_>) -> Result<Upload, Stored> {
    count_prefix(turn, request);
    let head = item_head(turn, request);
    turn.store
        .upload(request.key, &head, request.data_len, turn.batch)
        .map_err(|NoRoom| refuse_no_memory(turn, request))
}

/// Carries out a command whose data has come in over several turns.
pub fn store_upload(turn: &mut Turn<'_>, request: &Storage<'_>, upload: Upload) -> Stored {
    let joins = matches!(request.verb, Verb::Append | Verb::Prepend);
    let data = if joins {
        upload.value().to_vec()
    } else {
        Vec::new()
    };
    put(turn, request, upload.into_pending_item(turn.store), &data)
}

/// For `stats detail`, which counts what was asked for, stored or not.
pub fn count_prefix(turn: &Turn<'_>, request: &Storage<'_>) {
    if let Some(prefixes) = turn.prefixes.if_on() {
        prefixes.count_set(request.key);
    }
}

/// What the item of a command is to be like.
fn item_head(turn: &Turn<'_>, request: &Storage<'_>) -> ItemHead {
    ItemHead {
        client_flags: request.client_flags,
        deadline_ms: deadline_ms(request.exptime, turn.now()),
        item_flags: 0,
        cas: None,
    }
}

/// A `set` that is too large leaves nothing behind: stale data would be worse. The others keep
/// what is there.
pub fn discard_too_large(turn: &mut Turn<'_>, request: &Storage<'_>) -> Stored {
    turn.counters.store_too_large.count();
    count_prefix(turn, request);
    tell_refused(turn, request, Stored::TooLarge);
    discard(turn, request);
    Stored::TooLarge
}

/// The same for a command that finds no memory.
pub fn refuse_no_memory(turn: &mut Turn<'_>, request: &Storage<'_>) -> Stored {
    turn.counters.store_no_memory.count();
    tell_refused(turn, request, Stored::NoMemory);
    discard(turn, request);
    Stored::NoMemory
}

fn tell_refused(turn: &Turn<'_>, request: &Storage<'_>, stored: Stored) {
    let told = Told {
        command: name(request.verb),
        deadline_ms: NEVER,
        seen: ItemSummary::default(),
    };
    turn.tell_stored(request.key, stored, told);
}

fn discard(turn: &mut Turn<'_>, request: &Storage<'_>) {
    if request.verb == Verb::Set {
        turn.store
            .update(request.key, turn.batch, |_| (Action::Remove, ()));
    }
}

fn put(turn: &mut Turn<'_>, request: &Storage<'_>, draft: PendingItem<'_>, data: &[u8]) -> Stored {
    turn.counters.class(draft.class()).cmd_set.count();
    if turn.batch.observer.is_none() {
        return put_unseen(turn, request, draft, data, &mut None);
    }
    let mut told = Some(Told {
        command: name(request.verb),
        deadline_ms: deadline_ms(request.exptime, turn.now()),
        seen: draft.summary(),
    });
    let stored = put_unseen(turn, request, draft, data, &mut told);
    if let Some(told) = told {
        turn.tell_stored(request.key, stored, told);
    }
    stored
}

/// `told` is changed where something else is stored than was sent.
fn put_unseen(
    turn: &mut Turn<'_>,
    request: &Storage<'_>,
    draft: PendingItem<'_>,
    data: &[u8],
    told: &mut Option<Told>,
) -> Stored {
    if matches!(request.verb, Verb::Append | Verb::Prepend) {
        drop(draft);
        return turn.retry(
            |turn| join(turn, request, data, told),
            |stored| *stored == Stored::NotStored,
        );
    }
    let deadline_ms = deadline_ms(request.exptime, turn.now());
    let is_removal = turn.store.puts_as_removal(deadline_ms, turn.now());
    let put = |draft| {
        if is_removal {
            Action::Remove
        } else {
            Action::Put(draft)
        }
    };
    let ((stored, miss), stamp) = turn.store.update(request.key, turn.batch, |entry| {
        let miss = entry.err();
        let (action, stored) = match (request.verb, entry) {
            (Verb::Set, _) | (Verb::Add, Err(_)) | (Verb::Replace, Ok(_)) => {
                (put(draft), Stored::Stored(0))
            }
            (Verb::Add, Ok(_)) => (Action::Promote, Stored::NotStored),
            (Verb::Cas(_), Err(_)) => (Action::Keep, Stored::NotFound),
            (Verb::Cas(wanted), Ok(item)) if item.cas() == wanted && wanted != 0 => {
                (put(draft), Stored::Stored(0))
            }
            (Verb::Cas(_), Ok(_)) => (Action::Keep, Stored::Exists),
            (Verb::Replace | Verb::Append | Verb::Prepend, _) => (Action::Keep, Stored::NotStored),
        };
        (action, (stored, miss))
    });
    let stored = match stored {
        Stored::Stored(_) => Stored::Stored(turn.store.cas_of(stamp)),
        other => other,
    };
    count(turn, request.verb, (stored, miss))
}

fn count(turn: &Turn<'_>, verb: Verb, (stored, miss): (Stored, Option<Miss>)) -> Stored {
    if let Some(miss) = miss {
        count_miss(turn.counters, miss);
    }
    if matches!(stored, Stored::Stored(_)) {
        turn.counters.total_items.count();
    }
    if matches!(verb, Verb::Cas(_)) {
        match stored {
            Stored::Stored(_) => turn.met().cas_hits.count(),
            Stored::Exists => turn.met().cas_badval.count(),
            _ => turn.counters.cas_misses.count(),
        }
    }
    stored
}

/// `append` and `prepend`: the longer value is made outside the lock and put only if what it was
/// made from is still there; the last try is made under the lock.
fn join(
    turn: &mut Turn<'_>,
    request: &Storage<'_>,
    data: &[u8],
    told: &mut Option<Told>,
) -> Stored {
    for attempt in 0..=OPTIMISTIC_TRIES {
        let seen = if attempt < OPTIMISTIC_TRIES {
            let peek = |batch: &mut OpContext| {
                let look = |entry: Result<&Item, Miss>| (Action::Keep, entry.cloned());
                turn.store.update(request.key, batch, look).0
            };
            let seen = match attempt {
                0 => peek(turn.batch),
                _ => turn.batch.without_observer(peek),
            };
            match seen {
                Ok(item) => Some(item),
                Err(miss) => return count(turn, request.verb, (Stored::NotStored, Some(miss))),
            }
        } else {
            None
        };
        // The lookup above is the one that is told.
        let observer = turn.batch.observer.take();
        let joined = try_join(turn, request, data, seen, told);
        turn.batch.observer = observer;
        if let Some(stored) = joined {
            return count(turn, request.verb, (stored, None));
        }
    }
    Stored::NotStored
}

/// `None` if another writer came in between.
fn try_join(
    turn: &mut Turn<'_>,
    request: &Storage<'_>,
    data: &[u8],
    seen: Option<Item>,
    told: &mut Option<Told>,
) -> Option<Stored> {
    let store = turn.store;
    let made = seen.map(|old| {
        turn.count_copied(old.value().len());
        (old.version(), joined(store, request, &old, data))
    });
    let (stored, stamp) = store.update(request.key, turn.batch, |entry| {
        let Ok(item) = entry else {
            return (Action::Keep, Some(Stored::NotStored));
        };
        if request.only_over != 0 && request.only_over != item.cas() {
            return (Action::Keep, Some(Stored::Exists));
        }
        let draft = match made {
            Some((version, draft)) if version == item.version() => draft,
            Some(_) => return (Action::Keep, None),
            None => joined(store, request, item, data),
        };
        match draft {
            Some(draft) => {
                if let Some(told) = told {
                    told.deadline_ms = item.deadline_ms();
                    told.seen = draft.summary();
                }
                (Action::Put(draft), Some(Stored::Stored(0)))
            }
            None => (Action::Keep, Some(Stored::NotStored)),
        }
    });
    match stored? {
        Stored::Stored(_) => Some(Stored::Stored(store.cas_of(stamp))),
        other => Some(other),
    }
}

/// The longer item; `None` if it is too large or there is no memory.
fn joined<'s>(
    store: &'s Store,
    request: &Storage<'_>,
    old: &Item,
    data: &[u8],
) -> Option<PendingItem<'s>> {
    let head = ItemHead {
        client_flags: old.client_flags(),
        deadline_ms: old.deadline_ms(),
        // A new item, as in memcached: neither stale nor won by anybody.
        item_flags: 0,
        cas: None,
    };
    let len = old.value().len() + data.len();
    if !store.fits(old.key().len(), old.client_flags(), len) {
        return None;
    }
    let mut draft = store.pending_item(old.key(), &head, len).ok()?;
    let (first, second) = match request.verb {
        Verb::Prepend => (data, old.value()),
        _ => (old.value(), data),
    };
    draft.fill(|value| {
        value[..first.len()].copy_from_slice(first);
        value[first.len()..].copy_from_slice(second);
    });
    Some(draft)
}
