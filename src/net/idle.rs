//! The idle timeout. Once a second each worker checks its connections and closes those that have
//! sent no command for too long. A connection costs one store of the time per turn, and no timer.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::node::connections::{CloseReason, Entry};

/// The connections of one worker that may time out.
pub(crate) struct IdleTimeout {
    timeout_ms: u64,
    watched: RefCell<Vec<(Arc<Entry>, AbortHandle)>>,
}

impl IdleTimeout {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            watched: RefCell::default(),
        }
    }

    /// Watches a connection that `task` serves. As in memcached, clients of a unix socket never
    /// time out.
    pub(crate) fn watch(&self, entry: &Arc<Entry>, task: AbortHandle) {
        if entry.peer.is_tcp() {
            self.watched.borrow_mut().push((Arc::clone(entry), task));
        }
    }

    /// Closes connections that have been idle for too long; returns how many.
    pub(super) fn sweep(&self, now_boot_ms: u64) -> u64 {
        let mut ended = 0;
        self.watched.borrow_mut().retain(|(entry, task)| {
            let is_idle = entry
                .idle_ms(now_boot_ms)
                .is_some_and(|idle_ms| idle_ms > self.timeout_ms);
            if is_idle && !task.is_finished() {
                tracing::trace!(fd = entry.fd, "an idle client is disconnected");
                entry.note_close(CloseReason::Idle);
                task.abort();
                ended += 1;
            }
            !is_idle && !task.is_finished()
        });
        ended
    }
}
