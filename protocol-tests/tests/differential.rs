//! Random command sequences sent to memcached and to memtwin: both answer the same bytes.
//!
//! `DIFFERENTIAL_SEED` (decimal) and `DIFFERENTIAL_SEQUENCES` choose another run. A failure
//! prints the seed and the shortest sequence found that still shows it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::random::{Generator, Oracle, Request};
use protocol_tests::replies::{self, Leniency, Replies};
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};

const SEED: u64 = 20_261_121;
const SEQUENCES: u64 = 300;
const REQUESTS: usize = 60;
/// How often a failing sequence is played while it is being shortened.
const SHRINK_PLAYS_MAX: usize = 400;
/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest piece of a request or answer a message shows.
const SHOWN_BYTES: usize = 300;

#[test]
fn memtwin_answers_like_memcached() -> Result<()> {
    let memcached = Subject::memcached()?;
    let oracle = match memcached.kind() {
        Kind::MemcachedOld => Oracle::Old,
        _ => Oracle::New,
    };
    // Values around the size limit, of few keys: no eviction at the default of 64 MiB.
    let contest = Contest {
        oracle: Server::start(&memcached, &[])?,
        candidate: Server::start(&Subject::memtwin()?, &[])?,
        lenient: Leniency {
            old_error_words: oracle == Oracle::Old,
        },
    };
    let first = from_env("DIFFERENTIAL_SEED", SEED)?;
    for seed in first..first + from_env("DIFFERENTIAL_SEQUENCES", SEQUENCES)? {
        let mut generator = Generator::new(seed, oracle);
        let sequence = generator.sequence(REQUESTS);
        if let Some(difference) = contest.difference(&sequence, seed)? {
            let (short, difference) = contest.shrink(sequence, seed, difference)?;
            bail!(
                "DIFFERENTIAL_SEED={seed}: {difference}\nthe requests:\n{}",
                shown(&short)
            );
        }
    }
    Ok(())
}

fn from_env(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    }
}

struct Contest {
    oracle: Server,
    candidate: Server,
    lenient: Leniency,
}

impl Contest {
    /// Plays a sequence to both; says where their answers part.
    fn difference(&self, sequence: &[Request], seed: u64) -> Result<Option<String>> {
        let (expected, got) = thread::scope(|scope| {
            let expected = scope.spawn(|| self.play(&self.oracle, sequence, seed));
            let got = self.play(&self.candidate, sequence, seed);
            (expected.join(), got)
        });
        let Ok(expected) = expected else {
            bail!("the oracle's thread has panicked")
        };
        let (expected, got) = (expected?.lines, got?.lines);
        for index in 0..expected.len().max(got.len()) {
            let (right, wrong) = (expected.get(index), got.get(index));
            if right != wrong {
                return Ok(Some(format!(
                    "answer {index} is {} from {}, {} from {}",
                    line(right),
                    self.oracle.kind(),
                    line(wrong),
                    self.candidate.kind(),
                )));
            }
        }
        Ok(None)
    }

    fn play(&self, server: &Server, sequence: &[Request], seed: u64) -> Result<Replies> {
        ensure!(
            server.connect()?.ask("flush_all")? == "OK",
            "flush_all failed"
        );
        let mut conversation = Conversation {
            client: server.connect()?,
            cutter: Generator::new(!seed, Oracle::New),
            waiting: Vec::new(),
            stream: Vec::new(),
            lenient: self.lenient,
        };
        for request in sequence {
            conversation
                .add(request)
                .with_context(|| server.kind().to_string())?;
        }
        conversation.send()?;
        conversation.client.finish_sending()?;
        let rest = conversation.client.read_to_end()?;
        conversation.stream.extend(rest);
        ensure!(
            server.answers(),
            "{} answers no more:\n{}",
            server.kind(),
            server.log()
        );
        Ok(conversation.replies())
    }

    /// Drops requests as long as the difference stays.
    fn shrink(
        &self,
        mut sequence: Vec<Request>,
        seed: u64,
        mut difference: String,
    ) -> Result<(Vec<Request>, String)> {
        let mut plays = 0;
        let mut step = sequence.len() / 2;
        while step > 0 && plays < SHRINK_PLAYS_MAX {
            let mut from = 1;
            while from < sequence.len() && plays < SHRINK_PLAYS_MAX {
                let mut fewer = sequence.clone();
                fewer.drain(from..(from + step).min(sequence.len()));
                plays += 1;
                match self.difference(&fewer, seed)? {
                    Some(still) => (sequence, difference) = (fewer, still),
                    None => from += step,
                }
            }
            step /= 2;
        }
        Ok((sequence, difference))
    }
}

/// One connection on which a sequence is played, and what has been answered so far.
struct Conversation {
    client: Client,
    cutter: Generator,
    waiting: Vec<u8>,
    stream: Vec<u8>,
    lenient: Leniency,
}

impl Conversation {
    fn add(&mut self, request: &Request) -> Result<()> {
        match request {
            Request::Bytes(bytes) => self.waiting.extend_from_slice(bytes),
            Request::Settled(bytes) => {
                self.settle()?;
                self.waiting.extend_from_slice(bytes);
            }
            Request::CasLastSeen { key, head, tail } => {
                self.settle()?;
                let cas = self.replies().last_cas.get(key.as_bytes()).copied();
                self.waiting
                    .extend_from_slice(format!("{head} {}", cas.unwrap_or(1)).as_bytes());
                self.waiting.extend_from_slice(tail);
            }
        }
        Ok(())
    }

    /// Waits until everything sent is answered. `version` marks the end: no other request of a
    /// sequence is answered with it, and no sequence leaves a data block unfinished.
    fn settle(&mut self) -> Result<()> {
        let before = self.replies().versions;
        self.waiting.extend_from_slice(b"version\r\n");
        self.send()?;
        let deadline = Instant::now() + PATIENCE;
        while self.replies().versions == before {
            ensure!(
                Instant::now() < deadline,
                "no answer after {:?}",
                last_lines(&self.stream)
            );
            let more = self.client.read_within(Duration::from_millis(1))?;
            self.stream.extend(more);
        }
        Ok(())
    }

    /// Sends what is waiting, cut at random places.
    fn send(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut from = 0;
        for to in self
            .cutter
            .cuts(waiting.len())
            .into_iter()
            .chain([waiting.len()])
        {
            let received = self.client.send_while_receiving(&waiting[from..to])?;
            self.stream.extend(received);
            from = to;
        }
        Ok(())
    }

    fn replies(&self) -> Replies {
        replies::read(&self.stream, self.lenient)
    }
}

fn line(line: Option<&Vec<u8>>) -> String {
    match line {
        Some(bytes) => escaped(bytes),
        None => "(the end)".to_owned(),
    }
}

fn last_lines(stream: &[u8]) -> String {
    escaped(&stream[stream.len().saturating_sub(200)..])
}

fn shown(sequence: &[Request]) -> String {
    let lines: Vec<String> = sequence
        .iter()
        .map(|request| match request {
            Request::Bytes(bytes) | Request::Settled(bytes) => escaped(bytes),
            Request::CasLastSeen { head, tail, .. } => {
                format!("{head} (last seen){}", escaped(tail))
            }
        })
        .collect();
    lines.join("\n")
}

fn escaped(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if cut.len() < bytes.len() { "..." } else { "" };
    format!("\"{}{more}\" ({} bytes)", cut.escape_ascii(), bytes.len())
}
