//! The table of what was lost.

use std::fmt::{Display, Formatter, Result};

use super::cache::Program;
use super::crowd::Tally;

/// The figures of every scenario and server.
#[derive(Default)]
pub struct Report {
    rows: Vec<(String, Program, Tally)>,
}

impl Report {
    /// Adds what the visits after a scenario's faults met.
    pub fn add(&mut self, scenario: String, program: Program, tally: Tally) {
        self.rows.push((scenario, program, tally));
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let width = self
            .rows
            .iter()
            .map(|(scenario, ..)| scenario.len())
            .max()
            .unwrap_or(0);
        writeln!(
            f,
            "{:width$}  {:9}  {:>8}  {:>5}  {:>5}  {:>6}",
            "scenario", "server", "sessions", "lost", "stale", "failed"
        )?;
        for (scenario, program, tally) in &self.rows {
            writeln!(
                f,
                "{scenario:width$}  {:9}  {:8}  {:5}  {:5}  {:6}",
                program.name(),
                tally.visits,
                tally.lost,
                tally.stale,
                tally.failed
            )?;
        }
        Ok(())
    }
}
