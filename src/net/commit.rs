//! Turns whose replies wait for the partner.
//!
//! Each worker of a pair in `semi-sync` mode has one task that hands the writes of its turns over
//! to the link. The runtime runs it after the turns of all sockets that were ready together, so
//! they are one group; the task then sleeps until answers arrive.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::worker_context::{Scratch, WorkerContext};
use crate::frontend::{Flow, Output};
use crate::limits::{
    HELD_OUTPUT_CHARGED_BYTES, HELD_OUTPUTS_KEPT, LATE_CHECK_MS, OUTPUT_KEPT_BYTES,
};
use crate::replication::change_queue::Commit;
use crate::store::{OpContext, Purpose, Reservation, Store};

/// A turn that was executed, and whose replies wait for the partner.
#[derive(Debug)]
pub(super) struct HeldTurn {
    pub(super) commit: Commit,
    pub(super) output: Output,
    /// What the turn ended with.
    pub(super) flow: Flow,
    /// Charges the memory of replies that are not small.
    _reservation: Option<Reservation>,
}

impl HeldTurn {
    pub(super) fn new(commit: Commit, output: Output, flow: Flow, store: &Store) -> Self {
        let bytes = output.bytes.capacity();
        let reservation = (bytes >= HELD_OUTPUT_CHARGED_BYTES).then(|| {
            let mut reservation = store.reservation(Purpose::Output);
            reservation.resize(bytes as u64);
            reservation
        });
        Self {
            commit,
            output,
            flow,
            _reservation: reservation,
        }
    }
}

impl WorkerContext {
    /// Sends what a turn has changed to the link. `None` if its replies need not wait.
    pub(super) fn commit(&self, context: &mut OpContext) -> Option<Commit> {
        let Some(queue) = self.commits.as_ref().filter(|_| context.has_changes()) else {
            self.node.send_changes(context);
            return None;
        };
        let commit = queue.commits.borrow_mut().add(context);
        queue.added.notify_one();
        self.node.send_changes(context);
        commit
    }

    /// Ready once the partner has answered, or has been waited for for long enough.
    pub(super) fn poll_answered(&self, commit: &mut Commit, cx: &Context<'_>) -> Poll<()> {
        match &self.commits {
            Some(queue) => queue.commits.borrow_mut().poll_answered(commit, cx),
            None => Poll::Ready(()),
        }
    }

    /// Takes the replies of a turn out of the scratch buffers.
    pub(super) fn hold_output(&self, scratch: &mut Scratch) -> Output {
        let spare = self
            .commits
            .as_ref()
            .and_then(|queue| queue.outputs.borrow_mut().pop());
        std::mem::replace(&mut scratch.output, spare.unwrap_or_default())
    }

    /// Keeps an empty buffer for [`Self::hold_output`].
    pub(super) fn recycle_held(&self, mut output: Output) {
        let Some(queue) = &self.commits else {
            return;
        };
        let mut outputs = queue.outputs.borrow_mut();
        if outputs.len() < HELD_OUTPUTS_KEPT && output.bytes.capacity() <= OUTPUT_KEPT_BYTES {
            output.clear();
            outputs.push(output);
        }
    }
}

/// Hands groups over and takes answers, as long as the worker runs.
pub(super) async fn run(worker: Rc<WorkerContext>) {
    let Some(queue) = &worker.commits else {
        return;
    };
    let mut check = std::pin::pin!(sleep_until(Instant::now()));
    loop {
        let is_waiting = {
            let mut commits = queue.commits.borrow_mut();
            if commits.has_group() {
                commits.hand_over(worker.node.clock.now().boot_ms);
            }
            commits.is_waiting()
        };
        if is_waiting && check.is_elapsed() {
            check
                .as_mut()
                .reset(Instant::now() + Duration::from_millis(LATE_CHECK_MS));
        }
        tokio::select! {
            biased;
            () = queue.added.notified() => {}
            () = queue.answers.arrived() => queue.commits.borrow_mut().take_answers(),
            () = check.as_mut(), if is_waiting => {
                let now_ms = worker.node.clock.now().boot_ms;
                queue.commits.borrow_mut().release_late(now_ms);
            }
        }
    }
}
