//! `incr` and `decr`.

use super::context::{CommandContext, count_miss};
use super::outcome::{STORED, StoreEvent};
use crate::c_number;
use crate::limits::COUNTER_BYTES_MAX;
use crate::store::{Action, Item, ItemHead, Miss, NEVER, NoRoom, Now, PendingItem, Store};

/// How to change a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArithmeticRequest {
    /// How much to add or subtract.
    pub delta: u64,
    /// Add, or else subtract.
    pub incr: bool,
    /// The CAS unique that the item must have; 0 is any.
    pub compare: Option<u64>,
    /// The new CAS unique; by default the item's timestamp.
    pub cas: Option<u64>,
    /// A new deadline for an item that exists, in boot-time milliseconds.
    pub deadline_ms: Option<u64>,
    /// The item to create if there is none.
    pub initial: Option<Initial>,
}

/// The item to create if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initial {
    /// Its number; nothing is added to it.
    pub number: u64,
    /// Boot-time milliseconds.
    pub deadline_ms: u64,
    /// The deadline in its `watch` event: memcached's `ma` sets the deadline after that event.
    pub logged_deadline_ms: u64,
}

/// The outcome of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOutcome {
    /// The new number is stored.
    Value(Number),
    /// The CAS unique does not match.
    Exists,
    /// There is no item.
    NotFound,
    /// The value is not a number.
    NonNumeric,
    /// No memory for the new item.
    NoMemory {
        /// Whether the item was to be created.
        is_initial: bool,
    },
}

/// A number that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The number.
    pub value: u64,
    /// The CAS unique of its item.
    pub cas: u64,
    /// Whether the item was created.
    pub is_initial: bool,
    /// The deadline before this request; [`NEVER`] for a created item.
    pub deadline_before_ms: u64,
}

/// The outcome, and what to count and to log.
struct Decision {
    outcome: ArithmeticOutcome,
    miss: Option<Miss>,
    /// Counts in `total_items`.
    is_new: bool,
    event: Option<StoreEvent>,
}

/// Adds (wrapping at 2^64) or subtracts (stopping at 0). The client flags stay, the CAS unique
/// changes.
pub fn arithmetic(
    ctx: &mut CommandContext<'_>,
    key: &[u8],
    request: &ArithmeticRequest,
) -> ArithmeticOutcome {
    let (store, now) = (ctx.store, ctx.now());
    let decide = |entry: Result<&Item, Miss>| match entry {
        Ok(item) => change(store, item, request, now),
        Err(miss) => create(store, key, miss, request, now),
    };
    let (decision, timestamp) = ctx.retry(
        |ctx| store.update(key, ctx.op, decide),
        |(decision, _)| matches!(decision.outcome, ArithmeticOutcome::NoMemory { .. }),
    );
    count(ctx, &decision, request.incr);
    if let Some(event) = decision.event {
        ctx.tell_stored(key, STORED, event);
    }
    match decision.outcome {
        ArithmeticOutcome::Value(number) => ArithmeticOutcome::Value(Number {
            cas: ctx.cas_of(request.cas, timestamp),
            ..number
        }),
        other => other,
    }
}

fn change<'s>(
    store: &'s Store,
    item: &Item,
    request: &ArithmeticRequest,
    now: Now,
) -> (Action<'s>, Decision) {
    let keep = |outcome| (Action::Keep, Decision::of(outcome, None));
    let compare = request.compare.filter(|wanted| *wanted != 0);
    let is_other = compare.is_some_and(|wanted| wanted != item.cas());
    // memcached reports an empty value as non-numeric before it compares.
    if is_other && !item.value().is_empty() {
        return keep(ArithmeticOutcome::Exists);
    }
    let Some(number) = number_of(item.value()) else {
        return keep(ArithmeticOutcome::NonNumeric);
    };
    let value = if request.incr {
        number.wrapping_add(request.delta)
    } else {
        number.saturating_sub(request.delta)
    };
    let deadline_ms = request.deadline_ms.unwrap_or_else(|| item.deadline_ms());
    let changed = ArithmeticOutcome::Value(Number {
        value,
        cas: 0,
        is_initial: false,
        deadline_before_ms: item.deadline_ms(),
    });
    if store.puts_as_removal(deadline_ms, now) {
        return (Action::Remove, Decision::of(changed, None));
    }
    match with_number(store, item, value, deadline_ms, request.cas) {
        Ok((pending, is_new)) => {
            let decision = Decision {
                is_new,
                ..Decision::of(changed, None)
            };
            (Action::Put(pending), decision)
        }
        Err(NoRoom) => keep(ArithmeticOutcome::NoMemory { is_initial: false }),
    }
}

fn create<'s>(
    store: &'s Store,
    key: &[u8],
    miss: Miss,
    request: &ArithmeticRequest,
    now: Now,
) -> (Action<'s>, Decision) {
    let keep = |outcome| (Action::Keep, Decision::of(outcome, Some(miss)));
    let Some(initial) = request.initial else {
        return keep(ArithmeticOutcome::NotFound);
    };
    let created = ArithmeticOutcome::Value(Number {
        value: initial.number,
        cas: 0,
        is_initial: true,
        deadline_before_ms: NEVER,
    });
    let decision = Decision {
        is_new: true,
        ..Decision::of(created, Some(miss))
    };
    if store.puts_as_removal(initial.deadline_ms, now) {
        return (Action::Remove, decision);
    }
    let head = ItemHead {
        deadline_ms: initial.deadline_ms,
        cas: request.cas,
        ..ItemHead::default()
    };
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(initial.number).as_bytes();
    let Ok(mut pending) = store.pending_item(key, &head, digits.len()) else {
        return keep(ArithmeticOutcome::NoMemory { is_initial: true });
    };
    pending.fill(|value| value.copy_from_slice(digits));
    // memcached logs a created number as an `add`.
    let event = Some(StoreEvent {
        command: "add",
        deadline_ms: initial.logged_deadline_ms,
        seen: pending.summary(),
    });
    (Action::Put(pending), Decision { event, ..decision })
}

impl Decision {
    fn of(outcome: ArithmeticOutcome, miss: Option<Miss>) -> Self {
        Self {
            outcome,
            miss,
            is_new: false,
            event: None,
        }
    }
}

fn count(ctx: &CommandContext<'_>, decision: &Decision, incr: bool) {
    let counters = ctx.counters;
    if let Some(miss) = decision.miss {
        count_miss(counters, miss);
    }
    if decision.is_new {
        counters.total_items.count();
    }
    match (decision.outcome, incr) {
        // A created number is neither a hit nor a miss.
        (ArithmeticOutcome::Value(number), _) if number.is_initial => {}
        (ArithmeticOutcome::Value(_), true) => ctx.class_counts().incr_hits.count(),
        (ArithmeticOutcome::Value(_), false) => ctx.class_counts().decr_hits.count(),
        (ArithmeticOutcome::NotFound, true) => counters.incr_misses.count(),
        (ArithmeticOutcome::NotFound, false) => counters.decr_misses.count(),
        _ => {}
    }
}

/// The same item with another number, and whether it counts as a new item. As in memcached, a
/// shorter number is padded with spaces to the old length; a longer one makes a new item, without
/// history and item flags.
fn with_number<'s>(
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
    let mut pending = store.pending_item(item.key(), &head, len)?;
    pending.fill(|value| {
        value[..digits.len()].copy_from_slice(digits);
        value[digits.len()..].fill(b' ');
    });
    if in_place {
        pending.keep_history_of(item);
    }
    Ok((pending, !in_place))
}

/// Reads a value as C's `strtoull` does with memcached's checks: the number ends at white space, a
/// NUL or the end, and a minus sign is refused if the result would be huge.
fn number_of(value: &[u8]) -> Option<u64> {
    (value.len() <= COUNTER_BYTES_MAX).then(|| c_number::unsigned(value))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_memcached_reads_them() {
        assert_eq!(number_of(b" +012 "), Some(12));
        assert_eq!(number_of(b"12a"), None);
        assert_eq!(number_of(b""), None);
        // `incr` of `5\0y` failed: a NUL did not end the number.
        assert_eq!(number_of(b"5\0y"), Some(5));
        assert_eq!(number_of(b"\0x"), None);
        assert_eq!(number_of(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number_of(b"18446744073709551616"), None);
        for (text, number) in [("-0", Some(0)), ("-1", None), ("-+0", None), ("-", None)] {
            assert_eq!(number_of(text.as_bytes()), number, "{text}");
        }
        assert_eq!(number_of(b"-18446744073709551615"), Some(1));
    }
}
