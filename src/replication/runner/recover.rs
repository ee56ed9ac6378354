//! A panic of the replication thread costs the link, not replication.
//!
//! Without its thread a node would go on serving, and nothing that clients write would reach the
//! partner.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::Runner;
use crate::limits::RECOVERY_PAUSE_MS;

pub(super) const RECOVERY_PAUSE: Duration = Duration::from_millis(RECOVERY_PAUSE_MS);

/// The message of a panic is logged by the panic hook.
pub(super) struct Panicked;

/// Runs a future to its end, or to its panic.
pub(super) async fn catch_panic(running: impl Future<Output = ()>) -> Result<(), Panicked> {
    let mut running = pin!(running);
    poll_fn(|context| {
        // The link is not used again. Of the store a panic may leave the shard that was locked half
        // changed, as a panic of a worker may: serving what it holds is better than losing all.
        let poll = AssertUnwindSafe(|| running.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

impl Runner {
    /// Starts again without a link, so that the next one comes with a sync.
    pub(super) fn recover(&mut self) {
        self.log.fault("the replication thread panicked");
        let now = self.clock.now();
        self.link.recovered(&self.store, now);
        self.give_answers();
        self.forget_partner();
        self.show_link_down(now);
    }
}
