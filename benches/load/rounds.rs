//! Turns into rounds, rounds into samples.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::args::{Drive, ServerSpec};
use crate::report::Sample;
use crate::server::{Bound, Server, Tally};

/// Fills the servers, warms them up, and takes one sample per server and round.
pub(crate) fn run(drive: &Drive) -> Result<Vec<Sample>> {
    let mut servers = Vec::new();
    for spec in &drive.servers {
        Server::preload(spec, &drive.load)?;
        servers.push(Server::open(spec, &drive.load)?);
    }
    let round = match drive.round_requests {
        Some(requests) => Bound {
            time: Duration::MAX,
            requests,
        },
        None => Bound {
            time: Duration::from_millis(drive.round_ms),
            requests: u64::MAX,
        },
    };
    let warm_up = Bound {
        time: WARM_UP,
        requests: u64::MAX,
    };
    let turn = Bound {
        time: Duration::from_millis(drive.turn_ms),
        requests: u64::MAX,
    };

    take_turns(&mut servers, &drive.servers, warm_up, turn)?;
    let mut samples = Vec::new();
    for _ in 0..drive.rounds {
        let tallies = take_turns(&mut servers, &drive.servers, round, turn)?;
        let named = drive.servers.iter().zip(&tallies);
        samples.extend(named.map(|(spec, tally)| sample(&spec.name, tally)));
    }
    Ok(samples)
}

/// One round. Every other pass goes backwards through the servers, so that a drift of the machine
/// meets each of them alike.
fn take_turns(
    servers: &mut [Server],
    specs: &[ServerSpec],
    round: Bound,
    turn: Bound,
) -> Result<Vec<Tally>> {
    let mut tallies = servers
        .iter()
        .map(|_| Tally::new())
        .collect::<Result<Vec<_>>>()?;
    let mut order: Vec<usize> = (0..servers.len()).collect();
    let mut all_done = false;
    while !all_done {
        all_done = true;
        for &at in &order {
            let tally = &mut tallies[at];
            if tally.elapsed >= round.time || tally.operations >= round.requests {
                continue;
            }
            servers[at]
                .turn(turn, tally)
                .with_context(|| specs[at].name.clone())?;
            all_done = false;
        }
        order.reverse();
    }
    Ok(tallies)
}

fn sample(name: &str, tally: &Tally) -> Sample {
    let operations = tally.operations as f64;
    Sample {
        server: name.to_owned(),
        operations_per_s: operations / tally.elapsed.as_secs_f64(),
        p50_us: tally.latency_ns.value_at_quantile(0.5) as f64 / 1e3,
        p99_us: tally.latency_ns.value_at_quantile(0.99) as f64 / 1e3,
        server_cpu_us: tally.server_cpu.as_secs_f64() * 1e6 / operations,
        load_cpu_us: Some(tally.load_cpu.as_secs_f64() * 1e6 / operations),
    }
}

const WARM_UP: Duration = Duration::from_millis(500);
