//! One client of a pair: it sends, and goes to the other node when one is gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::load::{PATIENCE, Shared, key};
use super::notes::{Acknowledged, Effect, Life, Note, Write, value_of};
use crate::client::Client;

/// Between two commands of a client: the nodes have two cores together with their clients.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two attempts to connect while neither node can be reached.
const RETRY: Duration = Duration::from_millis(20);
/// Seconds that a value lives which is to expire.
const BRIEF_SECS: i64 = 1;
/// How a node refuses a value that is too large for it.
const REFUSED: &str = "SERVER_ERROR o";

/// One client.
pub(super) struct Writer {
    shared: Arc<Shared>,
    client: usize,
    rng: fastrand::Rng,
    connection: Option<(Client, Life)>,
    /// The side to try first.
    side: usize,
    homecomings: u64,
    /// Numbers of commands.
    number: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, client: usize, seed: u64) -> Self {
        Self {
            shared,
            client,
            rng: fastrand::Rng::with_seed(seed.wrapping_add(client as u64)),
            connection: None,
            side: client % 2,
            homecomings: 0,
            number: 0,
        }
    }

    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.stopped.load(Ordering::SeqCst) {
            thread::sleep(PAUSE);
            let mut notes = shared.notes[self.client].lock();
            let homecomings = shared.homecomings.load(Ordering::SeqCst);
            if self.homecomings != homecomings {
                self.homecomings = homecomings;
                self.side = self.client % 2;
                self.connection = None;
            }
            if !self.is_connected() {
                drop(notes);
                thread::sleep(RETRY);
                continue;
            }
            self.write(&mut notes);
        }
    }

    /// Connects to the side that is to be tried first, or to the other one.
    fn is_connected(&mut self) -> bool {
        let sides = [self.side, 1 - self.side];
        let stay_home = self.shared.stay_home.load(Ordering::SeqCst);
        for side in sides.into_iter().take(if stay_home { 1 } else { 2 }) {
            if self.connection.is_none() {
                self.connection = self.shared.connect(side).ok();
            }
        }
        self.connection.is_some()
    }

    fn write(&mut self, notes: &mut [Note]) {
        let Some((client, life)) = &mut self.connection else {
            return;
        };
        self.number += 1;
        let effect = match self.rng.u32(0..20) {
            0..4 => Effect::Gone,
            4..6 => Effect::Brief,
            6 => Effect::Touched,
            _ => Effect::Value,
        };
        let write = Write {
            number: self.number,
            effect,
        };
        let index = self.rng.usize(0..notes.len());
        let key = key(self.client, index);
        let asked = Instant::now();
        self.shared.written.fetch_add(1, Ordering::SeqCst);
        match send(client, &key, write, self.rng.bool()) {
            Ok(effect) => {
                let at = Instant::now();
                let wait_us = (at - asked).as_micros() as u64;
                let longest = &self.shared.longest_wait_us;
                longest.fetch_max(wait_us, Ordering::SeqCst);
                self.shared.acknowledged.fetch_add(1, Ordering::SeqCst);
                if let Some(effect) = effect {
                    let (write, life) = (Write { effect, ..write }, *life);
                    notes[index].acknowledge(Acknowledged { write, life, at });
                }
            }
            Err(_) => {
                notes[index].leave_unanswered(write);
                // A process that is gone refuses the next connection; one that hangs does not.
                let hangs = asked.elapsed() >= PATIENCE;
                let leaves = hangs && !self.shared.stay_home.load(Ordering::SeqCst);
                self.side = if leaves {
                    1 - life.side
                } else {
                    self.client % 2
                };
                self.connection = None;
            }
        }
    }
}

/// Sends a command in one of its two forms. Returns its effect, if it had one: a deletion has where
/// nothing is found, too, on what may come from the partner; a value that is refused deletes.
fn send(client: &mut Client, key: &str, write: Write, is_meta: bool) -> Result<Option<Effect>> {
    let value = value_of(write.number);
    let answer = match (write.effect, is_meta) {
        (Effect::Value, false) => client.set(key, &value)?,
        (Effect::Value, true) => meta_set(client, key, 0, &value)?,
        (Effect::Brief, false) => client.store("set", key, BRIEF_SECS, &value)?,
        (Effect::Brief, true) => meta_set(client, key, BRIEF_SECS, &value)?,
        (Effect::Touched, false) => client.ask(&format!("touch {key} {BRIEF_SECS}"))?,
        (Effect::Touched, true) => client.ask(&format!("mg {key} T{BRIEF_SECS}"))?,
        (Effect::Gone, false) => client.ask(&format!("delete {key}"))?,
        (Effect::Gone, true) => client.ask(&format!("md {key}"))?,
    };
    let effect = write.effect;
    match (effect, answer.as_str()) {
        (Effect::Touched, "NOT_FOUND" | "EN") => Ok(None),
        (Effect::Touched, "TOUCHED" | "HD")
        | (Effect::Value | Effect::Brief, "STORED" | "HD")
        | (Effect::Gone, "DELETED" | "NOT_FOUND" | "HD" | "NF") => Ok(Some(effect)),
        (Effect::Value | Effect::Brief, refused) if refused.starts_with(REFUSED) => {
            Ok(Some(Effect::Gone))
        }
        _ => bail!("{write:?}: {answer}"),
    }
}

fn meta_set(client: &mut Client, key: &str, life_secs: i64, value: &[u8]) -> Result<String> {
    let head = format!("ms {key} {} T{life_secs}\r\n", value.len());
    client.send(&[head.as_bytes(), value, b"\r\n"].concat())?;
    client.read_text_line()
}
