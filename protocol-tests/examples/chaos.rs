//! Injects one fault after the other into a pair under load, and checks after each that nothing is
//! missing which both nodes had: `chaos MINUTES SEED [FLAG...]`. The flags go to both nodes.
//!
//! Prints a line for each fault, and a table by kind of fault in the end. Fails if a promise was
//! broken.

#![allow(clippy::print_stdout, reason = "it is what somebody reads who runs it")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use protocol_tests::audit::Audit;
use protocol_tests::audit::faults::{FILLED, Fault};
use protocol_tests::audit::report::{Row, Titles};

/// However short the time is.
const FAULTS_MIN: usize = 3;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [minutes, seed, flags @ ..] = words.as_slice() else {
        bail!("usage: chaos MINUTES SEED [FLAG...]");
    };
    let minutes: u64 = minutes.parse().context("MINUTES is a number")?;
    let seed: u64 = seed.parse().context("SEED is a number")?;
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();

    let rows = play(Duration::from_secs(60 * minutes), seed, &flags)?;
    println!("\n{Titles}");
    let mut sum = Row::named("sum");
    for row in by_kind(&rows) {
        println!("{row}");
        sum.add(&row);
    }
    println!("{sum}");
    for broken in &sum.broken {
        println!("broken: {broken}");
    }
    ensure!(sum.broken.is_empty(), "a promise was broken");
    Ok(())
}

/// One row for each fault.
fn play(time: Duration, seed: u64, flags: &[&str]) -> Result<Vec<Row>> {
    let end = Instant::now() + time;
    let mut rng = Rng::with_seed(seed);
    let mut audit = Audit::start(flags, seed)?;
    audit.load().fill(0, FILLED)?;
    audit.settle()?;
    let mut rows = Vec::new();
    println!("seed {seed}\n{Titles}");
    while rows.len() < FAULTS_MIN || Instant::now() < end {
        let row = audit.inject(Fault::random(&mut rng))?;
        println!("{row}");
        rows.push(row);
    }
    Ok(rows)
}

/// The sums of the rows of each kind of fault, with how many there were.
fn by_kind(rows: &[Row]) -> Vec<Row> {
    let mut kinds: BTreeMap<&str, (usize, Row)> = BTreeMap::new();
    for row in rows {
        let kind = row.fault.split('(').next().unwrap_or_default();
        let (count, sum) = kinds.entry(kind).or_default();
        *count += 1;
        sum.add(row);
    }
    let named = kinds.into_iter().map(|(kind, (count, sum))| Row {
        fault: format!("{count} x {kind}"),
        ..sum
    });
    named.collect()
}
