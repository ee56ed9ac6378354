//! Two production links with two real stores over a simulated network in simulated time.
//!
//! One seed is one history: commands of every kind on both sides, delays, reads of any length,
//! cuts, half-open cuts, crashes that restart empty, alone or not, with a clock hours behind or
//! ahead or never set, pauses, clocks that step and drift, a full memory. Frames, windows and
//! queues are small, so that values of a few hundred bytes reach every edge.
//!
//! At every moment no node may show a value that no client wrote, or that it was told to be
//! replaced, and no item may count as confirmed, and no write be answered as protected, that the
//! partner never held. At the end everything
//! heals, and both sides must hold the same state of each key, the one with the highest version:
//! value, flags, CAS, item flags and deadline, or nothing if it was evicted or refused.
//!
//! `scripts/simulate` runs any number of seeds, and a failing one again. It can take a rule of
//! [`crate::rules`] away, which some seed must then notice.

mod alone;
mod asking;
mod checks;
mod clocks;
mod command;
mod content;
mod converged;
mod evictions;
mod fault;
mod held;
mod injection;
mod model;
mod node;
mod pipe;
mod plan;
mod protected;
mod seeds;
mod stream_check;
mod totals;
mod world;

use std::env;
use std::ops::Range;
use std::str::FromStr;
use std::thread;
use std::time::Instant;

use plan::PlanKind;
use seeds::Failure;
use totals::Totals;

use crate::rules::Rule;

/// Histories of each plan in an ordinary run of the tests.
const RUNS: u64 = 60;

fn run(kind: PlanKind) -> Totals {
    match seeds::run(kind, 1..1 + RUNS, None, 1) {
        Ok(totals) => totals,
        Err(failure) => panic!("{}", replay(kind, &failure, None)),
    }
}

fn replay(kind: PlanKind, failure: &Failure, without: Option<Rule>) -> String {
    let Failure { seed, what } = failure;
    let without = without.map(|rule| format!(" --without {}", rule.name()));
    let plan = kind.name();
    let replay = format!("scripts/simulate --seeds 1 --from {seed} --plan {plan}");
    format!(
        "seed {seed} of plan {plan}: {what}\nreplay: {replay}{}",
        without.unwrap_or_default()
    )
}

#[test]
fn both_sides_converge_after_cuts_crashes_and_pauses() {
    let totals = run(PlanKind::Faults);
    assert!(totals.commands > 300 * RUNS && totals.faults > 5 * RUNS);
    assert!(
        totals.link_ups > 2 * RUNS && totals.pass_received > 2 * RUNS,
        "{totals:?}"
    );
    assert!(
        totals.queue_overflows > 0
            && totals.records_superseded > 0
            && totals.started_alone > 0
            && totals.protected > 50 * RUNS,
        "{totals:?}"
    );
    assert!(
        totals.records_aborted > 0 && totals.clock_ahead > 0,
        "{totals:?}"
    );
}

#[test]
fn both_sides_converge_on_a_steady_link() {
    let totals = run(PlanKind::Steady);
    assert_eq!(totals.link_ups, 2 * RUNS);
    assert!(
        totals.records_aborted > 0 && totals.records_superseded > 0,
        "{totals:?}"
    );
}

#[test]
fn a_side_short_of_memory_misses_keys_but_never_shows_old_ones() {
    let totals = run(PlanKind::Memory);
    assert!(
        totals.records_no_room > 0 && totals.evictions > RUNS,
        "{totals:?}"
    );
}

/// Clients delete while the partner is away, and fill the memory that holds the tombstones: only
/// items are evicted, the budget is kept, and no deleted key returns.
#[test]
fn deleted_keys_stay_deleted_when_memory_is_full_of_tombstones() {
    let totals = run(PlanKind::Absence);
    assert!(
        totals.most_tombstones > 30 && totals.evictions > 40 * RUNS,
        "{totals:?}"
    );
}

/// Regression: a large value that changed more often than it could be sent never arrived, and the
/// end of a sync did not wait for it. A node that had just restarted answered misses for it.
#[test]
fn a_large_value_that_changes_all_the_time_has_arrived_when_the_sync_ends() {
    let totals = run(PlanKind::Large);
    assert!(totals.pass_received > 2 * RUNS, "{totals:?}");
}

#[test]
fn both_sides_converge_whatever_mix_of_faults_and_commands_a_seed_draws() {
    let totals = run(PlanKind::Swarm);
    assert!(totals.faults > RUNS, "{totals:?}");
}

/// What `scripts/simulate` runs: `SIM_SEEDS` histories from seed `SIM_FROM` on, of plan `SIM_PLAN`
/// or a part of each; without the rule `SIM_WITHOUT`, or without each in turn if that is `all`.
#[test]
#[ignore = "scripts/simulate runs it"]
fn simulate() {
    let from = setting("SIM_FROM").unwrap_or(1);
    let count = setting::<u64>("SIM_SEEDS").expect("SIM_SEEDS");
    let kinds = setting("SIM_PLAN").map_or_else(|| PlanKind::ALL.to_vec(), |kind| vec![kind]);
    let seeds = from..from + count.div_ceil(kinds.len() as u64);
    if env::var("SIM_WITHOUT").is_ok_and(|name| name == "all") {
        let unnoticed: Vec<_> = Rule::ALL
            .iter()
            .filter(|rule| !is_noticed(&kinds, &seeds, **rule))
            .collect();
        assert!(unnoticed.is_empty(), "not noticed: {unnoticed:?}");
        return;
    }
    let without = setting("SIM_WITHOUT");
    let threads = threads();
    let began = Instant::now();
    let mut totals = Totals::default();
    for kind in kinds {
        match seeds::run(kind, seeds.clone(), without, threads) {
            Ok(done) => totals.add(&done),
            Err(failure) => panic!("{}", replay(kind, &failure, without)),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{count} seeds in {seconds:.1} s on {threads} threads: {totals:?}");
}

/// Whether some history goes wrong without a rule, and which: a few of each plan first, then more.
fn is_noticed(kinds: &[PlanKind], seeds: &Range<u64>, rule: Rule) -> bool {
    let mut from = seeds.start;
    while from < seeds.end {
        let to = seeds
            .end
            .min(seeds.start + 10 * (from - seeds.start).max(10));
        for &kind in kinds {
            if let Err(failure) = seeds::run(kind, from..to, Some(rule), threads()) {
                let what = failure.what.lines().next().unwrap_or_default();
                eprintln!("{rule:?}: {} {}: {what}", kind.name(), failure.seed);
                return true;
            }
        }
        from = to;
    }
    eprintln!("{rule:?}: not noticed");
    false
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn setting<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => panic!("{name}={text}: {error}"),
    }
}
