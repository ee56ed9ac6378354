//! Playing a transcript to a server.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::parse::{Action, Expected, Step, Transcript};
use super::template::{Captures, Template};
use crate::client::{Client, text};
use crate::server::Server;
use crate::subject::Subject;

/// Longest piece of an answer a message shows.
const SHOWN_BYTES: usize = 300;
/// A server must not answer after a block that expects nothing; this long is waited for it.
const SILENCE: Duration = Duration::from_millis(200);

/// Starts a server of `subject` and plays `transcript` to it. The error names file and line.
pub fn play(subject: &Subject, transcript: &Transcript) -> Result<()> {
    play_on(transcript, subject, &|flags| {
        if transcript.on_unix_socket {
            Server::start_on_unix_socket(subject, flags)
        } else {
            Server::start(subject, flags)
        }
    })
}

/// Plays `transcript` to the server of `subject` that `start` starts with the flags it is given.
pub fn play_on(
    transcript: &Transcript,
    subject: &Subject,
    start: &dyn Fn(&[&str]) -> Result<Server>,
) -> Result<()> {
    transcript.check()?;
    let flags: Vec<&str> = transcript.flags.iter().map(String::as_str).collect();
    let start = || start(&flags);
    let mut stage = Stage {
        server: start()?,
        start: &start,
        subject,
        transcript,
        clients: BTreeMap::new(),
        captures: Captures::new(),
    };
    for step in &transcript.steps {
        stage
            .step(step)
            .with_context(|| format!("{}:{} ({})", transcript.name, step.line, subject.kind()))?;
    }
    stage
        .end()
        .with_context(|| format!("{} ({}), at its end", transcript.name, subject.kind()))
}

struct Stage<'a> {
    server: Server,
    start: &'a dyn Fn() -> Result<Server>,
    subject: &'a Subject,
    transcript: &'a Transcript,
    clients: BTreeMap<usize, Client>,
    captures: Captures,
}

impl Stage<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        match &step.action {
            Action::Send(template) => {
                let bytes = template.fill(&self.captures)?;
                // The server may have closed already; the next expected line will tell.
                let _ = self.client(step.connection)?.send(&bytes);
            }
            Action::Expect(block) => self.expect(step.connection, block)?,
            Action::Closed => {
                let rest = self.client(step.connection)?.read_to_end()?;
                ensure!(
                    rest.is_empty(),
                    "expected to be closed, got {}",
                    shown(&rest)
                );
                self.clients.remove(&step.connection);
            }
            Action::HangUp => {
                self.clients.remove(&step.connection);
            }
            Action::Sleep(time) => thread::sleep(*time),
            Action::Restart => {
                self.clients.clear();
                self.server = (self.start)()?;
            }
        }
        Ok(())
    }

    /// The connection of this number, opened at its first use.
    fn client(&mut self, number: usize) -> Result<&mut Client> {
        if !self.clients.contains_key(&number) {
            self.clients.insert(number, self.server.connect()?);
        }
        self.clients.get_mut(&number).context("just inserted")
    }

    fn expect(&mut self, connection: usize, block: &[Expected]) -> Result<()> {
        let own = self.subject.kind();
        let tagged = block.iter().any(|expected| expected.only_for == Some(own));
        let wanted = if tagged { Some(own) } else { None };
        let mut seen = Vec::new();
        for expected in block.iter().filter(|expected| expected.only_for == wanted) {
            let Some(template) = &expected.template else {
                let rest = self.client(connection)?.read_within(SILENCE)?;
                ensure!(rest.is_empty(), "expected no answer, got {}", shown(&rest));
                continue;
            };
            if expected.anywhere {
                self.expect_anywhere(connection, expected.line, template, &mut seen)?;
            } else if seen.is_empty() {
                self.expect_next(connection, expected.line, template)?;
            } else {
                // The lines up to END were read for the `has` lines before.
                let last = seen.last().context("checked above")?;
                let fits = template.matches(last, &mut self.captures);
                ensure!(
                    fits,
                    "line {}: the answer ends with {}",
                    expected.line,
                    shown(last)
                );
            }
        }
        Ok(())
    }

    fn expect_next(&mut self, connection: usize, at: usize, template: &Template) -> Result<()> {
        let name = &self.transcript.name;
        let place = format!("{name}:{at}: expected {}", template.source());
        let line = self
            .client(connection)?
            .read_line()
            .context(place.clone())?;
        let fits = match line.strip_suffix(b"\r\n") {
            Some(bare) => template.matches(bare, &mut self.captures),
            // A line that ends in a line feed alone must be expected to.
            None => {
                template.source().ends_with("\\n") && template.matches(&line, &mut self.captures)
            }
        };
        if !fits {
            let after = self.client(connection)?.read_within(SILENCE)?;
            bail!("{place}, got {}, then {}", shown(&line), shown(&after));
        }
        Ok(())
    }

    fn expect_anywhere(
        &mut self,
        connection: usize,
        at: usize,
        template: &Template,
        seen: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        while seen.last().is_none_or(|line| line != b"END") {
            let mut line = self.client(connection)?.read_line()?;
            ensure!(
                line.ends_with(b"\r\n"),
                "a line without CRLF: {}",
                shown(&line)
            );
            line.truncate(line.len() - 2);
            seen.push(line);
        }
        if seen
            .iter()
            .any(|line| template.matches(line, &mut self.captures))
        {
            return Ok(());
        }
        let all = seen.join(&b'\n');
        bail!(
            "{}:{at}: no line like {} in\n{}",
            self.transcript.name,
            template.source(),
            text(&all)
        )
    }

    /// Every connection says it sends no more; the server closes it and adds nothing.
    fn end(self) -> Result<()> {
        for (number, mut client) in self.clients {
            // The connection may be reset already; reading tells.
            let _ = client.finish_sending();
            let rest = client
                .read_to_end()
                .with_context(|| format!("connection {number}"))?;
            ensure!(
                rest.is_empty(),
                "connection {number} has sent {} as well",
                shown(&rest)
            );
        }
        ensure!(
            self.server.is_running(),
            "the server has ended:\n{}",
            self.server.log()
        );
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if cut.len() < bytes.len() { "..." } else { "" };
    format!("\"{}{more}\"", cut.escape_ascii())
}
