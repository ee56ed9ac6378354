//! A small program that uses one client library.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Scenario;
use super::stage::Stage;

/// How long one scenario may take in all.
const PATIENCE: Duration = Duration::from_secs(120);
/// A line with an order for the stage begins so; the program waits for an answer to it.
const ORDER: &str = "> ";

/// How a program is started.
#[derive(Clone, Debug)]
pub struct Program {
    name: &'static str,
    command: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Program {
    /// The program that tests `name`, started by `command` with these arguments before its own.
    #[must_use]
    pub fn new(name: &'static str, command: &Path, arguments: &[&str]) -> Self {
        Self {
            name,
            command: command.to_owned(),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            environment: Vec::new(),
        }
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Plays the scenario on this stage and returns the lines it wrote.
    pub(super) fn run(&self, scenario: &Scenario, stage: &Stage) -> Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let complaints = folder.path().join("stderr");
        let addresses = stage.addresses()?;
        let mut process = Command::new(&self.command)
            .args(&self.arguments)
            .arg(scenario.name)
            .args(addresses.iter().map(ToString::to_string))
            .envs(stage.environment())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints)?)
            .spawn()
            .with_context(|| format!("cannot start {}", self.command.display()))?;
        let mut lines = Vec::new();
        let conversed = converse(&mut process, stage, &mut lines);
        // It has ended, or is too late.
        let _ = process.kill();
        let status = process.wait()?;
        let told = || {
            let complaints = std::fs::read(&complaints).unwrap_or_default();
            let complaints = String::from_utf8_lossy(&complaints);
            format!("it wrote:\n{}\n{complaints}", lines.join("\n"))
        };
        conversed.with_context(told)?;
        ensure!(status.success(), "it ended with {status}; {}", told());
        // Ports differ from run to run.
        for line in &mut lines {
            for address in &addresses {
                *line = line.replace(&address.to_string(), "HOST:PORT");
                *line = without_number(line, &address.port().to_string());
            }
        }
        Ok(lines)
    }
}

/// The text with `PORT` for a number; the same digits within a longer number stay.
fn without_number(text: &str, number: &str) -> String {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let mut shown = String::new();
    let mut shown_to = 0;
    for (at, _) in text.match_indices(number) {
        let after = at + number.len();
        let bytes = text.as_bytes();
        let alone = !is_digit(bytes[..at].last()) && !is_digit(bytes.get(after));
        if alone {
            shown.push_str(&text[shown_to..at]);
            shown.push_str("PORT");
            shown_to = after;
        }
    }
    shown + &text[shown_to..]
}

impl fmt::Display for Program {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

/// Collects what it writes until it ends, and does what it asks for.
fn converse(process: &mut Child, stage: &Stage, lines: &mut Vec<String>) -> Result<()> {
    let output = process.stdout.take().context("no output")?;
    let mut input = process.stdin.take().context("no input")?;
    let written = read_lines(output);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let line = match written.recv_timeout(rest) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return wait_for_end(process, deadline),
            Err(RecvTimeoutError::Timeout) => bail!("it has not ended within {PATIENCE:?}"),
        };
        if let Some(order) = line.strip_prefix(ORDER) {
            stage.obey(order)?;
            input.write_all(b"done\n")?;
        } else {
            lines.push(line);
        }
    }
}

/// It has closed its output, and must end on its own.
fn wait_for_end(process: &mut Child, deadline: Instant) -> Result<()> {
    while process.try_wait()?.is_none() {
        ensure!(Instant::now() < deadline, "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn read_lines(output: ChildStdout) -> Receiver<String> {
    let (sender, written) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    written
}

#[cfg(test)]
mod tests {
    use super::without_number;

    /// A port whose digits stood in 18446744073709551615 made `incr` look wrong.
    #[test]
    fn a_port_is_replaced_where_it_stands_alone() {
        let text = "at 37095, not 18446744073709551615, 37095";
        let shown = "at PORT, not 18446744073709551615, PORT";
        assert_eq!(without_number(text, "37095"), shown);
    }
}
