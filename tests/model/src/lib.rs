//! The change queue, built on a model of threads and memory: `tests/` plays the workers and the
//! replication thread in every order in which their steps can happen, and lets a read see every
//! older value that the memory model allows.
//!
//! The sources are those of the server. What they import is here: `replication/sync.rs` instead of
//! std, crossbeam, parking_lot and tokio, [`limits`] small enough to be reached in a few steps, and
//! [`store`] with no more than a turn leaves behind. [`worker`] and [`link`] are the loops of
//! `net/commit.rs` and `replication/runner/drive.rs` without sockets and timers: who would be
//! helped only by a timer sleeps for ever, which the model reports as a deadlock.

// The queue's own unit tests need the whole server.
#![cfg(not(test))]

pub mod limits;
pub mod link;
pub mod replication;
pub mod store;
pub mod worker;

/// Plays all orders of the threads that `scene` starts in which at most this many times a thread is
/// interrupted between two steps; where it sleeps or ends does not count.
pub fn check(interruptions: usize, scene: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(interruptions);
    model.max_branches = 10_000;
    model.check(scene);
}
