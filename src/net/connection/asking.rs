//! A connection whose next request waits for the partner's answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::state::Connection;
use crate::frontend::Flow;
use crate::limits::{ASK_READ_MS, ASK_WRITE_MS};
use crate::store::{Dependence, OpContext};

/// The partner is asked, and the client waits.
pub(super) struct Asking {
    answered: oneshot::Receiver<bool>,
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    /// The next request was put off: asks the partner, or goes on without it.
    #[inline(never)]
    pub(super) fn begin_asking(&mut self) {
        self.unexecuted = true;
        if self.consultation.is_hopeless {
            return self.go_on_unanswered();
        }
        let wait_ms = match self.consultation.dependence {
            Dependence::Reads => ASK_READ_MS,
            Dependence::Writes => ASK_WRITE_MS,
        };
        let change_queue = self.worker.node.change_queue.as_ref();
        let wanted = self.consultation.wanted.clone();
        match change_queue.and_then(|queue| queue.ask(wanted)) {
            Some(answered) => {
                let deadline = Box::pin(sleep(Duration::from_millis(wait_ms)));
                self.asking = Some(Asking { answered, deadline });
            }
            None => self.go_on_unanswered(),
        }
    }

    /// Takes what the next request must know out of the context of the turn.
    #[inline(never)]
    pub(super) fn keep_consultation(&mut self, context: &mut OpContext, flow: Flow) {
        std::mem::swap(&mut context.consultation, &mut self.consultation);
        if flow != Flow::Consult {
            self.consultation.end();
        }
    }

    /// Waits for the answer, for as long as a client can.
    pub(super) fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(asking) = &mut self.asking else {
            return Poll::Ready(());
        };
        let is_answered = match Pin::new(&mut asking.answered).poll(cx) {
            Poll::Ready(answer) => answer == Ok(true),
            Poll::Pending if asking.deadline.as_mut().poll(cx).is_pending() => {
                return Poll::Pending;
            }
            Poll::Pending => {
                if let Some(queue) = &self.worker.node.change_queue {
                    queue.pause_asks(self.worker.node.clock.now().boot_ms);
                }
                false
            }
        };
        self.asking = None;
        if is_answered {
            self.consultation.settle();
        } else {
            self.go_on_unanswered();
        }
        Poll::Ready(())
    }

    /// A node that has had its partner's table answers from its own. Any other does not answer: it
    /// would turn what it does not know into a miss.
    fn go_on_unanswered(&mut self) {
        if let Some(queue) = &self.worker.node.change_queue {
            queue.count_unanswered();
        }
        if self.worker.node.store.is_complete() {
            self.consultation.is_hopeless = false;
            self.consultation.settle();
        } else {
            self.closing = true;
        }
    }
}
