//! `incr` and `decr`.

use super::turn::{Turn, count_miss};
use crate::protocol::text::numeric_value;
use crate::store::{Action, Draft, Item, ItemHead, Miss, NoRoom, Store};

/// A longer value is no number.
const NUMBER_BYTES_MAX: usize = 1 << 14;

/// What became of an increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta {
    /// The new number.
    Value(u64),
    /// Nothing is there.
    NotFound,
    /// What is there is no number.
    NonNumeric,
    /// No memory for the new item.
    NoMemory,
}

/// Adds to a decimal number (wrapping at 2^64) or subtracts from it (stopping at 0). The client
/// flags and the deadline stay, the CAS unique changes.
pub fn arithmetic(turn: &mut Turn<'_>, key: &[u8], delta: u64, incr: bool) -> Delta {
    let store = turn.store;
    let ((outcome, miss), _) = store.update(key, turn.batch, |entry| match entry {
        Err(miss) => (Action::Keep, (Delta::NotFound, Some(miss))),
        Ok(item) => {
            let (action, outcome) = changed(store, item, delta, incr);
            (action, (outcome, None::<Miss>))
        }
    });
    let counters = turn.counters;
    if let Some(miss) = miss {
        count_miss(counters, miss);
    }
    match (outcome, incr) {
        (Delta::Value(_), true) => counters.incr_hits.count(),
        (Delta::Value(_), false) => counters.decr_hits.count(),
        (Delta::NotFound, true) => counters.incr_misses.count(),
        (Delta::NotFound, false) => counters.decr_misses.count(),
        _ => {}
    }
    outcome
}

fn changed<'s>(store: &'s Store, item: &Item, delta: u64, incr: bool) -> (Action<'s>, Delta) {
    let Some(number) = number_of(item) else {
        return (Action::Keep, Delta::NonNumeric);
    };
    let number = if incr {
        number.wrapping_add(delta)
    } else {
        number.saturating_sub(delta)
    };
    match with_number(store, item, number, item.deadline_ms(), None) {
        Ok(draft) => (Action::Put(draft), Delta::Value(number)),
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
/// the old length; a longer one is a new item, which nobody has read or marked.
pub(super) fn with_number<'s>(
    store: &'s Store,
    item: &Item,
    number: u64,
    deadline_ms: u64,
    cas: Option<u64>,
) -> Result<Draft<'s>, NoRoom> {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    let len = digits.len().max(item.value().len());
    let in_place = len == item.value().len();
    let head = ItemHead {
        client_flags: item.client_flags(),
        deadline_ms,
        marks: if in_place { item.marks() } else { 0 },
        cas,
    };
    let mut draft = store.draft(item.key(), &head, len)?;
    draft.fill(|value| {
        value[..digits.len()].copy_from_slice(digits);
        value[digits.len()..].fill(b' ');
    });
    if in_place {
        draft.keep_history_of(item);
    }
    Ok(draft)
}
