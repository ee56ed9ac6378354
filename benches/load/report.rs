//! Samples into medians, ratios and a table.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use crate::args::Heading;

/// What one round measured of one server.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) server: String,
    pub(crate) operations_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// User and system time of the server per operation.
    pub(crate) server_cpu_us: f64,
    /// The load tool's own, where known: a tool that needs more than its server holds it up.
    pub(crate) load_cpu_us: Option<f64>,
}

/// The rounds of each server, in the order in which the servers were named.
pub(crate) struct Report {
    heading: Heading,
    servers: Vec<Vec<Sample>>,
}

impl Report {
    pub(crate) fn new(heading: Heading, samples: &[Sample]) -> Result<Self> {
        let mut servers: Vec<Vec<Sample>> = Vec::new();
        for sample in samples {
            match servers
                .iter_mut()
                .find(|rounds| rounds[0].server == sample.server)
            {
                Some(rounds) => rounds.push(sample.clone()),
                None => servers.push(vec![sample.clone()]),
            }
        }
        let first = servers.first().context("no samples")?.len();
        ensure!(
            servers.iter().all(|rounds| rounds.len() == first),
            "every server needs as many rounds as the others, under a name of its own"
        );
        Ok(Self { heading, servers })
    }
}

impl FromStr for Sample {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let server = words
            .next()
            .context("a sample begins with a name")?
            .to_owned();
        let numbers: Vec<f64> = words
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("not a sample: {line}"))?;
        let &[operations_per_s, p50_us, p99_us, server_cpu_us] = &numbers[..] else {
            bail!("not a sample: {line}");
        };
        let measured = numbers
            .iter()
            .all(|number| number.is_finite() && *number > 0.0);
        ensure!(measured, "a sample of nothing: {line}");
        Ok(Self {
            server,
            operations_per_s,
            p50_us,
            p99_us,
            server_cpu_us,
            load_cpu_us: None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading.title)?;
        writeln!(
            f,
            "  {:<34}{:>11}{:>10}{:>10}{:>12}{:>10}",
            "", "ops/s", "p50 us", "p99 us", "CPU us/op", "load us"
        )?;
        for rounds in &self.servers {
            write!(
                f,
                "  {:<34}{:>11.0}{:>10.1}{:>10.1}{:>12.3}",
                rounds[0].server,
                median(rounds.iter().map(|s| s.operations_per_s)),
                median(rounds.iter().map(|s| s.p50_us)),
                median(rounds.iter().map(|s| s.p99_us)),
                median(rounds.iter().map(|s| s.server_cpu_us)),
            )?;
            match rounds[0].load_cpu_us {
                Some(_) => {
                    let load = median(rounds.iter().filter_map(|s| s.load_cpu_us));
                    writeln!(f, "{load:>10.3}")?;
                }
                None => writeln!(f, "{:>10}", "-")?,
            }
        }
        for other in &self.servers[1..] {
            self.ratios(f, &self.servers[0], other)?;
        }
        Ok(())
    }
}

impl Report {
    /// Ratios are taken round by round, then their median: what slows the machine for a round
    /// slows both servers.
    fn ratios(&self, f: &mut fmt::Formatter<'_>, one: &[Sample], other: &[Sample]) -> fmt::Result {
        let ratios = |of: fn(&Sample) -> f64| -> Vec<f64> {
            one.iter().zip(other).map(|(a, b)| of(a) / of(b)).collect()
        };
        let cpu = ratios(|s| s.server_cpu_us);
        let cpu_median = median(cpu.iter().copied());
        write!(
            f,
            "  {:<34}{:>11.3}{:>10.3}{:>10.3}{:>12.3}",
            format!("{} / {}", one[0].server, other[0].server),
            median(ratios(|s| s.operations_per_s)),
            median(ratios(|s| s.p50_us)),
            median(ratios(|s| s.p99_us)),
            cpu_median,
        )?;
        let least = cpu.iter().copied().fold(f64::INFINITY, f64::min);
        let most = cpu.iter().copied().fold(0.0, f64::max);
        write!(f, "   rounds {least:.3} to {most:.3}")?;
        match self.heading.limit {
            Some(limit) => {
                let verdict = if cpu_median <= limit { "ok" } else { "over" };
                writeln!(f, "   limit {limit:.2}: {verdict}")
            }
            None => writeln!(f),
        }
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}
