//! Commands of clients, carried out by the production command engine.

use fastrand::Rng;

use super::content::fill;
use super::plan::pick;
use crate::command::{
    self, ArithmeticRequest, CommandContext, DeleteRequest, GetRequest, Initial, Recache, Remains,
    StoreMode, StoreRequest, Stored, Vivify,
};
use crate::store::{Dependence, NEVER, item_flags};

/// Longest time to live a client asks for.
pub(super) const TTL_MS_MAX: u64 = 4000;
/// Farthest moment of the past and of the future for which a client orders a flush.
const FLUSH_SECS_MAX: i64 = 3;
/// Relative times end here: a larger number is a Unix time.
const RELATIVE_SECS_MAX: i64 = 30 * 24 * 60 * 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandKind {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Cas,
    Arithmetic,
    Touch,
    GetAndTouch,
    Get,
    /// `mg` that may win a stale item or create an empty one.
    MetaGet,
    Delete,
    /// `md` that keeps a part of the item.
    Reduce,
    FlushNow,
    FlushLater,
    FlushPast,
}

use CommandKind::{
    Add, Append, Arithmetic, Cas, Delete, FlushLater, FlushNow, FlushPast, Get, GetAndTouch,
    MetaGet, Prepend, Reduce, Replace, Set, Touch,
};

/// How often each command comes, in comparison with the others.
const USUAL: [(CommandKind, u32); 16] = [
    (Set, 350),
    (Add, 40),
    (Replace, 40),
    (Append, 40),
    (Prepend, 20),
    (Cas, 50),
    (Arithmetic, 50),
    (Touch, 80),
    (GetAndTouch, 30),
    (Get, 60),
    (MetaGet, 60),
    (Delete, 140),
    (Reduce, 40),
    (FlushNow, 1),
    (FlushLater, 1),
    (FlushPast, 1),
];

#[derive(Clone, Debug)]
pub(super) struct CommandMix {
    weights: [(CommandKind, u32); 16],
    sum: u32,
}

impl CommandMix {
    pub(super) fn all() -> Self {
        Self::of(USUAL)
    }

    /// Some commands more often than usual, and others not at all.
    pub(super) fn drawn(rng: &mut Rng) -> Self {
        let mut weights = USUAL;
        for (kind, weight) in &mut weights {
            *weight *= pick(rng, &[0, 1, 1, 4]);
            if *kind == Set {
                // Something must be there.
                *weight = (*weight).max(100);
            }
        }
        Self::of(weights)
    }

    fn of(weights: [(CommandKind, u32); 16]) -> Self {
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        Self { weights, sum }
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> CommandKind {
        let mut left = rng.u32(..self.sum);
        for (kind, weight) in self.weights {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        Set
    }
}

/// One command, and what its arguments are drawn from.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) kind: CommandKind,
    /// The number of its key.
    pub(super) which: usize,
    pub(super) key: Vec<u8>,
    /// No two commands have the same: the bytes of the value follow from it.
    pub(super) id: u64,
    pub(super) value_len: usize,
    /// Whether it may ask for a time to live.
    pub(super) may_expire: bool,
}

impl Command {
    /// How it depends on what is held; `None` if it has the same effect and reply whatever is.
    pub(super) fn dependence(&self) -> Option<Dependence> {
        match self.kind {
            Set | FlushNow | FlushLater | FlushPast => None,
            Get => Some(Dependence::Reads),
            _ => Some(Dependence::Writes),
        }
    }

    pub(super) fn run(&self, ctx: &mut CommandContext<'_>, rng: &mut Rng) {
        let deadline_ms = self.deadline_ms(ctx, rng);
        match self.kind {
            Set | Add | Replace | Append | Prepend | Cas => self.store(ctx, deadline_ms, rng),
            Arithmetic => self.arithmetic(ctx, deadline_ms, rng),
            Touch => drop(command::touch(ctx, &self.key, deadline_ms)),
            GetAndTouch => drop(command::get_and_touch(ctx, &self.key, deadline_ms, |_| ())),
            Get => drop(command::get(ctx, &self.key, |_| ())),
            MetaGet => self.meta_get(ctx, deadline_ms, rng),
            Delete => self.delete(ctx, None, rng),
            Reduce => {
                let remains = Remains {
                    emptied: rng.bool().then(|| rng.u32(..)),
                    stale: rng.bool(),
                    cas: random_cas(rng),
                    deadline_ms: rng.bool().then_some(deadline_ms),
                };
                self.delete(ctx, Some(remains), rng);
            }
            FlushNow | FlushLater | FlushPast => {
                let exptime = match self.kind {
                    FlushLater => rng.i64(1..=FLUSH_SECS_MAX),
                    FlushPast => past_secs(ctx, rng),
                    _ => 0,
                };
                command::flush_all(ctx, exptime);
            }
        }
    }

    fn store(&self, ctx: &mut CommandContext<'_>, deadline_ms: u64, rng: &mut Rng) {
        let mode = match self.kind {
            Add => StoreMode::Add,
            Replace => StoreMode::Replace,
            Append => StoreMode::Append,
            Prepend => StoreMode::Prepend,
            _ => StoreMode::Set,
        };
        let compares = self.kind == Cas || (self.kind != Set && rng.u8(..8) == 0);
        let request = StoreRequest {
            mode,
            compare: compares.then(|| self.known_cas(ctx, rng)),
            cas: random_cas(rng),
            client_flags: if rng.bool() { rng.u32(..) } else { 0 },
            deadline_ms,
            item_flags: if rng.u8(..4) == 0 {
                item_flags::BASE64_KEY
            } else {
                0
            },
            vivify: rng.bool(),
            accepts_stale: rng.bool(),
            refusal_removes: self.kind == Set || rng.bool(),
        };
        let value = self.value(rng);
        let fits = (ctx.store).fits(self.key.len(), request.client_flags, value.len());
        if fits {
            command::store(ctx, &self.key, &request, &value);
        } else {
            command::refuse(ctx, &self.key, &request, Stored::TooLarge);
        }
    }

    fn value(&self, rng: &mut Rng) -> Vec<u8> {
        if self.may_expire && rng.u8(..8) == 0 {
            return self.id.to_string().into_bytes();
        }
        let mut value = vec![0; self.value_len];
        fill(self.id, &mut value);
        value
    }

    fn arithmetic(&self, ctx: &mut CommandContext<'_>, deadline_ms: u64, rng: &mut Rng) {
        let request = ArithmeticRequest {
            delta: rng.u64(..1000),
            incr: rng.bool(),
            compare: (rng.u8(..8) == 0).then(|| self.known_cas(ctx, rng)),
            cas: random_cas(rng),
            deadline_ms: rng.bool().then_some(deadline_ms),
            initial: rng.bool().then(|| Initial {
                number: rng.u64(..1000),
                deadline_ms,
                logged_deadline_ms: deadline_ms,
            }),
        };
        command::arithmetic(ctx, &self.key, &request);
    }

    fn meta_get(&self, ctx: &mut CommandContext<'_>, deadline_ms: u64, rng: &mut Rng) {
        let request = GetRequest {
            touch: rng.bool().then_some(deadline_ms),
            vivify: rng.bool().then(|| Vivify {
                deadline_ms,
                cas: random_cas(rng),
            }),
            recache: rng.bool().then(|| Recache {
                before_ms: if rng.bool() {
                    ctx.now().boot_ms + rng.u64(..2 * TTL_MS_MAX)
                } else {
                    0
                },
                after_touch: rng.bool(),
            }),
            is_unused: rng.bool(),
            ..GetRequest::default()
        };
        command::retrieve(ctx, &self.key, &request, |_| ());
    }

    fn delete(&self, ctx: &mut CommandContext<'_>, remains: Option<Remains>, rng: &mut Rng) {
        let request = DeleteRequest {
            compare: (rng.u8(..8) == 0).then(|| self.known_cas(ctx, rng)),
            remains,
            name: "delete",
            mismatch_is_miss: false,
        };
        command::delete(ctx, &self.key, &request);
    }

    /// Mostly the CAS unique that the item has.
    fn known_cas(&self, ctx: &CommandContext<'_>, rng: &mut Rng) -> u64 {
        let held = ctx.store.entry(ctx.store.slot_of(&self.key));
        match held {
            Some(item) if rng.u8(..4) != 0 => item.cas(),
            _ => rng.u64(..),
        }
    }

    fn deadline_ms(&self, ctx: &CommandContext<'_>, rng: &mut Rng) -> u64 {
        match rng.u8(..32) {
            _ if !self.may_expire => NEVER,
            0 => 0,
            1..8 => ctx.now().boot_ms + rng.u64(1..TTL_MS_MAX),
            _ => NEVER,
        }
    }
}

/// A Unix time that has passed; 0, which is now, on a machine whose wall clock was never set.
fn past_secs(ctx: &CommandContext<'_>, rng: &mut Rng) -> i64 {
    let secs = ctx.now().unix_secs() as i64 - rng.i64(0..FLUSH_SECS_MAX);
    if secs > RELATIVE_SECS_MAX { secs } else { 0 }
}

fn random_cas(rng: &mut Rng) -> Option<u64> {
    (rng.u8(..4) == 0).then(|| rng.u64(..))
}
