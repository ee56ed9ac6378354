//! Adding to a decimal number, and subtracting from it.

use super::context::{CommandContext, count_miss};
use super::number::number_of;
use super::outcome::{STORED, StoreEvent};
use crate::store::{Action, Draft, Item, ItemHead, Miss, NEVER, NoRoom, Now, Store};

/// What to do with a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArithmeticRequest {
    /// How much to add or subtract.
    pub delta: u64,
    /// Add, or else subtract.
    pub incr: bool,
    /// The CAS unique that must be there; 0 is any.
    pub compare: Option<u64>,
    /// The CAS unique that the item gets; else its stamp.
    pub cas: Option<u64>,
    /// Another deadline for the item that is there, in boot-time milliseconds.
    pub deadline_ms: Option<u64>,
    /// What is stored where nothing is.
    pub initial: Option<Initial>,
}

/// The number that is stored where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initial {
    /// The number, to which nothing is added.
    pub number: u64,
    /// Boot-time milliseconds.
    pub deadline_ms: u64,
    /// The deadline that its log line names: `ma` stores the number first and gives it its deadline
    /// afterwards.
    pub logged_deadline_ms: u64,
}

/// What became of an increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOutcome {
    /// There is a new number.
    Value(Number),
    /// Another version is there.
    Exists,
    /// Nothing is there.
    NotFound,
    /// What is there is no number.
    NonNumeric,
    /// No memory for the new item.
    NoMemory {
        /// Whether it was to be stored where nothing is.
        is_initial: bool,
    },
}

/// A number that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The number.
    pub value: u64,
    /// The CAS unique it has now.
    pub cas: u64,
    /// Whether nothing was there.
    pub is_initial: bool,
    /// The deadline before this request; never if nothing was there.
    pub deadline_before_ms: u64,
}

/// What was decided, and what is to be counted and logged.
struct Decision {
    outcome: ArithmeticOutcome,
    miss: Option<Miss>,
    /// It takes a new item.
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
    let (decision, stamp) = ctx.retry(
        |ctx| store.update(key, ctx.batch, decide),
        |(decision, _)| matches!(decision.outcome, ArithmeticOutcome::NoMemory { .. }),
    );
    count(ctx, &decision, request.incr);
    if let Some(event) = decision.event {
        ctx.tell_stored(key, STORED, event);
    }
    match decision.outcome {
        ArithmeticOutcome::Value(number) => ArithmeticOutcome::Value(Number {
            cas: ctx.cas_of(request.cas, stamp),
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
    let is_other = request
        .compare
        .is_some_and(|wanted| wanted != 0 && wanted != item.cas());
    // Of an empty value memcached says first that it is no number.
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
    let deadline_ms = request.deadline_ms.unwrap_or(item.deadline_ms());
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
        Ok((draft, is_new)) => {
            let decision = Decision {
                is_new,
                ..Decision::of(changed, None)
            };
            (Action::Put(draft), decision)
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
    let Ok(mut draft) = store.draft(key, &head, digits.len()) else {
        return keep(ArithmeticOutcome::NoMemory { is_initial: true });
    };
    draft.fill(|value| value.copy_from_slice(digits));
    // To memcached a number that begins is an `add`.
    let event = Some(StoreEvent {
        command: "add",
        deadline_ms: initial.logged_deadline_ms,
        seen: draft.seen(),
    });
    (Action::Put(draft), Decision { event, ..decision })
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
        // A number that begins is neither a hit nor a miss.
        (ArithmeticOutcome::Value(number), _) if number.is_initial => {}
        (ArithmeticOutcome::Value(_), true) => ctx.met().incr_hits.count(),
        (ArithmeticOutcome::Value(_), false) => ctx.met().decr_hits.count(),
        (ArithmeticOutcome::NotFound, true) => counters.incr_misses.count(),
        (ArithmeticOutcome::NotFound, false) => counters.decr_misses.count(),
        _ => {}
    }
}

/// The same item with another number. As memcached does, a shorter number is padded with spaces to
/// the old length; a longer one is a new item, which nobody has read or marked: true says so.
fn with_number<'s>(
    store: &'s Store,
    item: &Item,
    number: u64,
    deadline_ms: u64,
    cas: Option<u64>,
) -> Result<(Draft<'s>, bool), NoRoom> {
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
    Ok((draft, !in_place))
}
