//! A worker and its clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};

use loom::future::block_on;

use crate::replication::change_queue::{ChangeSender, Commit, Commits, WorkerAnswers};
use crate::store::{Now, OpContext};

/// How long clients wait for the partner, in milliseconds.
pub const ACK_TIMEOUT_MS: u64 = 20;

/// The thread of a worker: the loop of `net/commit.rs`.
#[derive(Debug)]
pub struct Worker {
    commits: Commits,
    answers: Arc<WorkerAnswers>,
    waiting: Vec<Client>,
}

/// The connection of a client whose reply waits.
#[derive(Debug)]
struct Client {
    commit: Commit,
    woken: Arc<Woken>,
}

/// How often a connection was woken; only its worker does that.
#[derive(Debug, Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Worker {
    /// The worker of this number, from 0; `None` in `async` mode.
    pub fn new(sender: &ChangeSender, number: usize) -> Option<Self> {
        let commits = sender.commits(number, ACK_TIMEOUT_MS)?;
        Some(Self {
            answers: commits.answers(),
            commits,
            waiting: Vec::new(),
        })
    }

    /// The turn of a client at this time, which writes these slots: of small values, and of large
    /// ones.
    pub fn write(&mut self, now_ms: u64, small: &[u64], large: &[u64]) {
        let mut context = OpContext {
            now: Now { boot_ms: now_ms },
            dirty: [small, large].concat(),
            large: large.to_vec(),
            flushed: false,
        };
        let Some(mut commit) = self.commits.add(&mut context) else {
            return;
        };
        let woken = Arc::default();
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        if self
            .commits
            .poll_answered(&mut commit, &context)
            .is_pending()
        {
            self.waiting.push(Client { commit, woken });
        }
    }

    /// Hands over what the turns wrote.
    pub fn hand_over(&mut self, now_ms: u64) {
        self.commits.hand_over(now_ms);
        self.release_woken();
    }

    /// Ends the wait of those who have waited for too long at this time.
    pub fn release_late(&mut self, now_ms: u64) {
        self.commits.release_late(now_ms);
        self.release_woken();
    }

    /// Sleeps until no client waits. A client of whom nobody hears sleeps for ever.
    pub fn wait(&mut self) {
        while !self.waiting.is_empty() {
            block_on(self.answers.arrived());
            self.take_answers();
        }
    }

    /// Takes the answers that are there.
    pub fn take_answers(&mut self) {
        self.commits.take_answers();
        self.release_woken();
    }

    /// How many clients wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Polls the connections that were woken, and no others, as a runtime does.
    fn release_woken(&mut self) {
        let commits = &mut self.commits;
        self.waiting.retain_mut(|client| {
            match client.woken.0.swap(0, Ordering::Relaxed) {
                0 => return true,
                times => assert_eq!(times, 1, "each group wakes its clients once"),
            }
            let waker = Waker::from(Arc::clone(&client.woken));
            let context = Context::from_waker(&waker);
            commits
                .poll_answered(&mut client.commit, &context)
                .is_pending()
        });
    }
}
