//! Random sequences of requests played to memcached and to memtwin: both answer the same.
//!
//! `DIFFERENTIAL_SEED` (decimal) and `DIFFERENTIAL_SEQUENCES` choose another run. A failure prints
//! the seed and the shortest sequence found that still shows it.

use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::random::Oracle;
use crate::server::Server;
use crate::subject::{Kind, Subject};

const SEED: u64 = 20_261_121;
/// How often a sequence with a difference is played again at most.
const REPLAYS: usize = 3;
/// How often a failing sequence is played while it is being shortened.
const SHRINK_PLAYS_MAX: usize = 400;
/// Longest piece of a request or answer a message shows.
const SHOWN_BYTES: usize = 300;

/// How requests of one protocol are made, played and shown.
pub trait Player: Sync {
    /// One request.
    type Request: Clone + Sync;

    /// A sequence, the same for the same seed.
    fn sequence(&self, seed: u64) -> Vec<Self::Request>;

    /// Plays it on a new connection to an empty server; what is answered, made comparable.
    fn play(&self, server: &Server, sequence: &[Self::Request], seed: u64) -> Result<Vec<Vec<u8>>>;

    /// A request as a message shows it.
    fn shown(&self, request: &Self::Request) -> String;
}

/// Two servers and a player.
#[derive(Debug)]
pub struct Contest<P> {
    /// Who is right.
    pub oracle: Server,
    /// Who is tested.
    pub candidate: Server,
    /// Plays to both.
    pub player: P,
}

impl<P: Player> Contest<P> {
    /// memcached and memtwin, each on its own server; the player is told which memcached it is.
    ///
    /// # Errors
    /// A server that is not there or does not start.
    pub fn between(player: impl FnOnce(Oracle) -> P) -> Result<Self> {
        let memcached = Subject::memcached()?;
        let oracle = match memcached.kind() {
            Kind::MemcachedOld => Oracle::Old,
            _ => Oracle::New,
        };
        // Values around the size limit, of few keys: no eviction at the default of 64 MiB.
        Ok(Self {
            oracle: Server::start(&memcached, &[])?,
            candidate: Server::start(&Subject::memtwin()?, &[])?,
            player: player(oracle),
        })
    }

    /// Plays so many sequences, unless the environment says otherwise.
    ///
    /// # Errors
    /// The first difference, or what a server failed to do.
    pub fn run(&self, sequences: u64) -> Result<()> {
        let first = from_env("DIFFERENTIAL_SEED", SEED)?;
        for seed in first..first + from_env("DIFFERENTIAL_SEQUENCES", sequences)? {
            let sequence = self.player.sequence(seed);
            if self.difference(&sequence, seed)?.is_some()
                && let Some(difference) = self.difference_again(&sequence, seed)?
            {
                let (short, difference) = self.shrink(sequence, seed, difference)?;
                let shown: Vec<String> = short
                    .iter()
                    .map(|request| self.player.shown(request))
                    .collect();
                bail!(
                    "DIFFERENTIAL_SEED={seed}: {difference}\nthe requests:\n{}",
                    shown.join("\n")
                );
            }
        }
        Ok(())
    }

    /// A difference counts when it shows again: memcached's clock ticks once a second, and what a
    /// flush or an expiry means changes when it ticks within a sequence.
    fn difference_again(&self, sequence: &[P::Request], seed: u64) -> Result<Option<String>> {
        for _ in 0..REPLAYS {
            let difference = self.difference(sequence, seed)?;
            if difference.is_some() {
                return Ok(difference);
            }
        }
        Ok(None)
    }

    /// Plays a sequence to both; says where their answers part.
    fn difference(&self, sequence: &[P::Request], seed: u64) -> Result<Option<String>> {
        let (expected, got) = thread::scope(|scope| {
            let expected = scope.spawn(|| self.play(&self.oracle, sequence, seed));
            let got = self.play(&self.candidate, sequence, seed);
            (expected.join(), got)
        });
        let Ok(expected) = expected else {
            bail!("the oracle's thread has panicked")
        };
        let (expected, got) = (expected?, got?);
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

    fn play(&self, server: &Server, sequence: &[P::Request], seed: u64) -> Result<Vec<Vec<u8>>> {
        ensure!(
            server.connect()?.ask("flush_all")? == "OK",
            "flush_all failed"
        );
        let played = self
            .player
            .play(server, sequence, seed)
            .with_context(|| server.kind().to_string())?;
        ensure!(
            server.answers(),
            "{} answers no more:\n{}",
            server.kind(),
            server.log()
        );
        Ok(played)
    }

    /// Drops requests as long as the difference stays.
    fn shrink(
        &self,
        mut sequence: Vec<P::Request>,
        seed: u64,
        mut difference: String,
    ) -> Result<(Vec<P::Request>, String)> {
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

fn from_env(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    }
}

fn line(line: Option<&Vec<u8>>) -> String {
    match line {
        Some(bytes) => escaped(bytes),
        None => "(the end)".to_owned(),
    }
}

/// Bytes as a message shows them: the first of many, and how many.
pub fn escaped(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if cut.len() < bytes.len() { "..." } else { "" };
    format!("\"{}{more}\" ({} bytes)", cut.escape_ascii(), bytes.len())
}
