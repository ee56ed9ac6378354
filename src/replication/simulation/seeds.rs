//! Runs histories one after the other, on several threads.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::plan::{Plan, PlanKind};
use super::totals::Totals;
use super::world::World;
use crate::rules::{self, Rule};

/// A history that went wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) seed: u64,
    pub(super) what: String,
}

/// Runs the histories of all seeds with a plan, without one of the rules if one is named.
///
/// # Errors
/// The failure with the lowest seed; no higher seed is begun after a failure.
pub(super) fn run(
    kind: PlanKind,
    seeds: Range<u64>,
    without: Option<Rule>,
    threads: usize,
) -> Result<Totals, Failure> {
    let next = AtomicU64::new(seeds.start);
    let failure = Mutex::new(None::<Failure>);
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                rules::take_away(without);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failure.lock().is_some() {
                        return;
                    }
                    match run_one(kind, seed) {
                        Ok(done) => totals.lock().add(&done),
                        Err(what) => {
                            let mut first = failure.lock();
                            if first.as_ref().is_none_or(|first| seed < first.seed) {
                                *first = Some(Failure { seed, what });
                            }
                        }
                    }
                }
            });
        }
    });
    match failure.into_inner() {
        Some(failure) => Err(failure),
        None => Ok(totals.into_inner()),
    }
}

/// A panic is a failure like any other.
fn run_one(kind: PlanKind, seed: u64) -> Result<Totals, String> {
    let history = || World::new(seed, Plan::of(kind, seed)).run();
    catch_unwind(AssertUnwindSafe(history)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("without a message")))
    })
}
