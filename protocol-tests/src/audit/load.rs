//! Clients that write to both nodes of a pair and note what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use parking_lot::{Mutex, MutexGuard};

use super::notes::{Acknowledged, Effect, LARGE_VALUE_EVERY, Life, Note, Write, value_of};
use crate::client::Client;
use crate::pair::eventually;
use crate::server::Address;

/// Keys of one client.
const KEYS: usize = 40;
/// After this a client takes a node for dead and asks the other one, as users of memcached do.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two commands of a client: the nodes have two cores together with their clients.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two attempts to connect while neither node can be reached.
const RETRY: Duration = Duration::from_millis(20);
/// Seconds that a value lives which is to expire.
const BRIEF_SECS: i64 = 1;

/// How a node refuses a value that is too large for it.
const REFUSED: &str = "SERVER_ERROR o";

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the clients share with those who watch them.
#[derive(Debug)]
struct Shared {
    addresses: [Address; 2],
    /// How often each side was started, less one.
    starts: [AtomicU64; 2],
    stopped: AtomicBool,
    /// Clients that are not connected to their own side go there when this changes.
    homecomings: AtomicU64,
    /// Nor do they go to the other side.
    stay_home: AtomicBool,
    written: AtomicU64,
    acknowledged: AtomicU64,
    longest_wait_us: AtomicU64,
    /// By client, and in the end those of [`Load::fill`]. Whoever holds a client's notes stops it.
    notes: Vec<Mutex<Vec<Note>>>,
}

/// What the clients have done since the last time this was taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Commands sent.
    pub written: u64,
    /// Of them, answered.
    pub acknowledged: u64,
    /// The longest time that an answer took.
    pub longest_wait: Duration,
}

/// The key with this index of a client.
pub fn key(client: usize, index: usize) -> String {
    format!("w{client}.{index}")
}

impl Load {
    /// Starts so many clients; every other one begins with side 1. `seed` chooses their commands.
    pub fn start(addresses: [Address; 2], clients: usize, seed: u64) -> Self {
        let mut notes = Vec::new();
        for _ in 0..clients {
            notes.push(Mutex::new((0..KEYS).map(|_| Note::default()).collect()));
        }
        notes.push(Mutex::default());
        let shared = Arc::new(Shared {
            addresses,
            starts: Default::default(),
            stopped: AtomicBool::new(false),
            homecomings: AtomicU64::new(0),
            stay_home: AtomicBool::new(false),
            written: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            longest_wait_us: AtomicU64::new(0),
            notes,
        });
        let threads = (0..clients)
            .map(|client| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || Writer::new(shared, client, seed).run())
            })
            .collect();
        Self { shared, threads }
    }

    /// Stores so many large values on this side, which nobody changes afterwards.
    pub fn fill(&self, side: usize, values: usize) -> Result<()> {
        let (mut client, life) = self.shared.connect(side)?;
        let filler = self.threads.len();
        let mut notes = self.shared.notes[filler].lock();
        for index in 0..values {
            let number = (index as u64 + 1) * LARGE_VALUE_EVERY;
            let stored = client.set(&key(filler, index), &value_of(number))?;
            ensure!(stored == "STORED", "{stored}");
            let effect = Effect::Value;
            let mut note = Note::default();
            note.acknowledge(Acknowledged {
                write: Write { number, effect },
                life,
                at: Instant::now(),
            });
            notes.push(note);
        }
        Ok(())
    }

    /// Stops the clients for as long as the notes are held.
    pub fn notes(&self) -> Vec<MutexGuard<'_, Vec<Note>>> {
        self.shared.notes.iter().map(Mutex::lock).collect()
    }

    /// The process of this side that clients connect to now.
    pub fn life(&self, side: usize) -> Life {
        self.shared.life(side)
    }

    /// To be called before another process of this side is started.
    pub fn count_start(&self, side: usize) {
        self.shared.starts[side].fetch_add(1, Ordering::SeqCst);
    }

    /// Sends each client back to the side it began with.
    pub fn send_home(&self) {
        self.shared.homecomings.fetch_add(1, Ordering::SeqCst);
    }

    /// Sends each client home and keeps it from the other side, or lets it go there again.
    pub fn stay_home(&self, stay_home: bool) {
        self.shared.stay_home.store(stay_home, Ordering::SeqCst);
        self.send_home();
    }

    /// Waits until so many more commands were answered.
    pub fn wait_for_answers(&self, answers: u64) -> Result<()> {
        let wanted = self.shared.acknowledged.load(Ordering::SeqCst) + answers;
        eventually("clients are answered", || {
            let panicked = self.threads.iter().any(JoinHandle::is_finished);
            ensure!(!panicked, "a client has ended");
            Ok(self.shared.acknowledged.load(Ordering::SeqCst) >= wanted)
        })
    }

    /// What the clients have done since the last time this was taken.
    pub fn take_done(&self) -> Done {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Done {
            written: take(&self.shared.written),
            acknowledged: take(&self.shared.acknowledged),
            longest_wait: Duration::from_micros(take(&self.shared.longest_wait_us)),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn life(&self, side: usize) -> Life {
        Life {
            side,
            starts: self.starts[side].load(Ordering::SeqCst),
        }
    }

    /// A connection, and the process it leads to: one that was started meanwhile is none.
    fn connect(&self, side: usize) -> Result<(Client, Life)> {
        let life = self.life(side);
        let mut client = Client::connect(&self.addresses[side])?;
        ensure!(life == self.life(side), "another process has started");
        client.set_patience(PATIENCE);
        Ok((client, life))
    }
}

/// One client.
struct Writer {
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
    fn new(shared: Arc<Shared>, client: usize, seed: u64) -> Self {
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

    fn run(mut self) {
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
