//! `incr` and `decr`.

use std::cell::Cell;

use super::exptime::deadline_ms;
use super::storage::Stored;
use super::turn::{Told, Turn, count_miss};
use crate::protocol::text::numeric_value;
use crate::store::{Action, Item, ItemHead, Miss, NoRoom, PendingItem, Store};

/// A longer value is no number.
const NUMBER_BYTES_MAX: usize = 1 << 14;

/// What became of an increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta {
    /// The new number, and the CAS unique it has now.
    Value(u64, u64),
    /// Another version is there.
    Exists,
    /// Nothing is there.
    NotFound,
    /// What is there is no number.
    NonNumeric,
    /// No memory for the new item.
    NoMemory,
}

/// What to do with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How much to add or subtract.
    pub delta: u64,
    /// Add, or else subtract.
    pub incr: bool,
    /// The CAS unique that must be there, 0 for any.
    pub only_over: u64,
    /// Where nothing is, the number to begin with, and its expiry time.
    pub initial: Option<(u64, i64)>,
}

impl Step {
    /// A step from whatever version is there; where nothing is, nothing begins.
    pub fn new(delta: u64, incr: bool) -> Self {
        Self {
            delta,
            incr,
            only_over: 0,
            initial: None,
        }
    }
}

/// Adds to a decimal number (wrapping at 2^64) or subtracts from it (stopping at 0). The client
/// flags and the deadline stay, the CAS unique changes.
pub fn arithmetic(turn: &mut Turn<'_>, key: &[u8], step: &Step) -> Delta {
    let store = turn.store;
    let now = turn.now();
    let initial = step
        .initial
        .map(|(number, exptime)| (number, deadline_ms(exptime, now)));
    let told = Cell::new(None);
    let is_new = Cell::new(false);
    let decide = |entry: Result<&Item, Miss>| match (entry, initial) {
        (Err(miss), None) => (Action::Keep, (Delta::NotFound, Some(miss))),
        (Err(miss), Some((number, deadline_ms))) if store.puts_as_removal(deadline_ms, now) => {
            is_new.set(true);
            (Action::Keep, (Delta::Value(number, 0), Some(miss)))
        }
        (Err(miss), Some((number, deadline_ms))) => {
            let (action, outcome) = begun(store, key, number, deadline_ms, &told);
            is_new.set(outcome != Delta::NoMemory);
            (action, (outcome, Some(miss)))
        }
        (Ok(item), _) => {
            let (action, outcome) = changed(store, item, step, &is_new);
            (action, (outcome, None))
        }
    };
    let ((outcome, miss), stamp) = turn.retry(
        |turn| store.update(key, turn.batch, decide),
        |((outcome, _), _)| *outcome == Delta::NoMemory,
    );
    let counters = turn.counters;
    if let Some(miss) = miss {
        count_miss(counters, miss);
    }
    if is_new.get() {
        counters.total_items.count();
    }
    match (outcome, step.incr) {
        // A number that begins is neither a hit nor a miss.
        (Delta::Value(..), _) if miss.is_some() => {
            // To memcached a number that begins is an `add`.
            if let Some(told) = told.get() {
                turn.tell_stored(key, Stored::Stored(0), told);
            }
        }
        (Delta::Value(..), true) => turn.met().incr_hits.count(),
        (Delta::Value(..), false) => turn.met().decr_hits.count(),
        (Delta::NotFound, true) => counters.incr_misses.count(),
        (Delta::NotFound, false) => counters.decr_misses.count(),
        _ => {}
    }
    match outcome {
        Delta::Value(number, _) => Delta::Value(number, store.cas_of(stamp)),
        other => other,
    }
}

fn begun<'s>(
    store: &'s Store,
    key: &[u8],
    number: u64,
    deadline_ms: u64,
    told: &Cell<Option<Told>>,
) -> (Action<'s>, Delta) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    let head = ItemHead {
        deadline_ms,
        ..ItemHead::default()
    };
    let Ok(mut draft) = store.pending_item(key, &head, digits.len()) else {
        return (Action::Keep, Delta::NoMemory);
    };
    draft.fill(|value| value.copy_from_slice(digits));
    told.set(Some(Told {
        command: "add",
        deadline_ms,
        seen: draft.summary(),
    }));
    (Action::Put(draft), Delta::Value(number, 0))
}

fn changed<'s>(
    store: &'s Store,
    item: &Item,
    step: &Step,
    is_new: &Cell<bool>,
) -> (Action<'s>, Delta) {
    let other_version = step.only_over != 0 && step.only_over != item.cas();
    // Of an empty value memcached says first that it is no number.
    if other_version && !item.value().is_empty() {
        return (Action::Keep, Delta::Exists);
    }
    let Some(number) = number_of(item) else {
        return (Action::Keep, Delta::NonNumeric);
    };
    let number = if step.incr {
        number.wrapping_add(step.delta)
    } else {
        number.saturating_sub(step.delta)
    };
    match with_number(store, item, number, item.deadline_ms(), None) {
        Ok((draft, grown)) => {
            is_new.set(grown);
            (Action::Put(draft), Delta::Value(number, 0))
        }
        Err(NoRoom) => (Action::Keep, Delta::NoMemory),
    }
}

/// The number that an item's value is.
pub(super) fn number_of(item: &Item) -> Option<u64> {
    let value = item.value();
    if value.len() > NUMBER_BYTES_MAX {
        return None;
    }
    numeric_value(value)
}

/// The same item with another number. As memcached does, a shorter number is padded with spaces to
/// the old length; a longer one is a new item, which nobody has read or marked: true says so.
pub(super) fn with_number<'s>(
    store: &'s Store,
    item: &Item,
    number: u64,
    deadline_ms: u64,
    cas: Option<u64>,
) -> Result<(PendingItem<'s>, bool), NoRoom> {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    let len = digits.len().max(item.value().len());
    let in_place = len == item.value().len();
    let head = ItemHead {
        client_flags: item.client_flags(),
        deadline_ms,
        item_flags: if in_place { item.item_flags() } else { 0 },
        cas,
    };
    let mut draft = store.pending_item(item.key(), &head, len)?;
    draft.fill(|value| {
        value[..digits.len()].copy_from_slice(digits);
        value[digits.len()..].fill(b' ');
    });
    if in_place {
        draft.keep_history_of(item);
    }
    Ok((draft, !in_place))
}
