//! Real client libraries, each driven by a small program in `protocol-tests/clients`.
//!
//! A program gets the name of a scenario and addresses, and writes a line for each result. It runs
//! against a real memcached and against memtwin, and what it writes must be the same.

mod install;
mod program;
mod stage;

pub use install::{c, go, java, node, php, python};
pub use program::Program;
pub use stage::{Scenario, Shape};

use std::thread;

use anyhow::{Context, Result, ensure};

use crate::subject::Subject;

/// What a program puts in front of a result it did not count on.
const UNEXPECTED: &str = "UNEXPECTED ";
/// What a program that has come to its end writes last.
const END: &str = "end";
/// Different lines that are shown.
const SHOWN_MAX: usize = 20;

impl Scenario {
    /// Has `program` play this scenario with a real memcached and with memtwin, side by side, and
    /// compares what it wrote.
    pub fn compare(&self, program: &Program) -> Result<()> {
        let memcached = Subject::memcached()?;
        let memtwin = Subject::memtwin()?;
        let (expected, found) = thread::scope(|scope| {
            let oracle = scope.spawn(|| self.play(program, &memcached));
            let found = self.play(program, &memtwin);
            (oracle.join(), found)
        });
        let expected = expected.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        // Equal lines are then as good on memtwin's side.
        ensure!(
            !expected.iter().any(|line| line.starts_with(UNEXPECTED)),
            "{program}, {}, against memcached:\n{}",
            self.name,
            expected.join("\n")
        );
        let found = found?;
        let different = different(&expected, &found);
        ensure!(
            different.is_empty(),
            "{program}, {}: memcached (-) and memtwin (+) differ:\n{}",
            self.name,
            different.join("\n")
        );
        Ok(())
    }

    /// What `program` writes when it plays this scenario with `subject`.
    fn play(&self, program: &Program, subject: &Subject) -> Result<Vec<String>> {
        let what = || format!("{program}, {}, against {}", self.name, subject.kind());
        let stage = self.set(subject).with_context(what)?;
        let lines = program.run(self, &stage).with_context(what)?;
        ensure!(
            lines.last().is_some_and(|last| last == END) && lines.len() >= self.lines_min,
            "{}: it ended early:\n{}",
            what(),
            lines.join("\n")
        );
        stage.is_well().with_context(what)?;
        Ok(lines)
    }
}

/// The lines that are not equal, the first few of them.
fn different(expected: &[String], found: &[String]) -> Vec<String> {
    let count = expected.len().max(found.len());
    let mut lines = Vec::new();
    for at in 0..count {
        let (expected, found) = (expected.get(at), found.get(at));
        if expected != found && lines.len() < 2 * SHOWN_MAX {
            lines.extend(expected.map(|line| format!("- {line}")));
            lines.extend(found.map(|line| format!("+ {line}")));
        }
    }
    lines
}
