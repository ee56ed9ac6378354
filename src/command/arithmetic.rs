//! `incr` and `decr`.

use super::turn::{Turn, count_miss};
use crate::protocol::text::numeric_value;
use crate::store::{Action, Item, ItemHead, Miss, Store};

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
    let old = item.value();
    let number = if old.len() > NUMBER_BYTES_MAX {
        None
    } else {
        numeric_value(old)
    };
    let Some(number) = number else {
        return (Action::Keep, Delta::NonNumeric);
    };
    let number = if incr {
        number.wrapping_add(delta)
    } else {
        number.saturating_sub(delta)
    };
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    let head = ItemHead {
        client_flags: item.client_flags(),
        deadline_ms: item.deadline_ms(),
        marks: item.marks(),
        cas: None,
    };
    // As memcached does, a shorter number is padded with spaces to the old length.
    let len = digits.len().max(old.len());
    let Ok(mut draft) = store.draft(item.key(), &head, len) else {
        return (Action::Keep, Delta::NoMemory);
    };
    draft.fill(|value| {
        value[..digits.len()].copy_from_slice(digits);
        value[digits.len()..].fill(b' ');
    });
    (Action::Put(draft), Delta::Value(number))
}
