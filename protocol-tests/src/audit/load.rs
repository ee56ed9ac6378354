//! Clients that write to both nodes of a pair and note what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use parking_lot::{Mutex, MutexGuard};

use super::notes::{Acknowledged, Effect, LARGE_VALUE_EVERY, Life, Note, Write, value_of};
use super::writer::Writer;
use crate::client::Client;
use crate::pair::eventually;
use crate::server::Address;

/// Keys of one client.
const KEYS: usize = 40;
/// After this a client takes a node for dead and asks the other one, as users of memcached do.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the clients share with those who watch them.
#[derive(Debug)]
pub(super) struct Shared {
    addresses: [Address; 2],
    /// How often each side was started, less one.
    starts: [AtomicU64; 2],
    pub(super) stopped: AtomicBool,
    /// Clients that are not connected to their own side go there when this changes.
    pub(super) homecomings: AtomicU64,
    /// Nor do they go to the other side.
    pub(super) stay_home: AtomicBool,
    pub(super) written: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) longest_wait_us: AtomicU64,
    /// By client, and in the end those of [`Load::fill`]. Whoever holds a client's notes stops it.
    pub(super) notes: Vec<Mutex<Vec<Note>>>,
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
    pub(super) fn connect(&self, side: usize) -> Result<(Client, Life)> {
        let life = self.life(side);
        let mut client = Client::connect(&self.addresses[side])?;
        ensure!(life == self.life(side), "another process has started");
        client.set_patience(PATIENCE);
        Ok((client, life))
    }
}
