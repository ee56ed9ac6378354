//! The watchers and the event logs of a node.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::event_log::{EventLog, Shared};
use super::mailbox::Mailbox;
use crate::protocol::text::Events;

/// See the module.
pub(crate) struct Watch {
    pub(super) shared: Arc<Shared>,
    /// One for each worker, and one for all other threads.
    pub(super) logs: Vec<Arc<EventLog>>,
    pub(super) watchers: Mutex<Vec<Arc<Mailbox>>>,
    pub(super) mailbox_bytes: usize,
    pub(super) wake: crossbeam_channel::Sender<()>,
    pub(super) woken: crossbeam_channel::Receiver<()>,
}

impl Watch {
    pub(crate) fn new(workers: usize, log_bytes: usize, mailbox_bytes: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let (wake, woken) = crossbeam_channel::bounded(1);
        let log = || Arc::new(EventLog::new(Arc::clone(&shared), log_bytes, wake.clone()));
        Self {
            logs: (0..=workers).map(|_| log()).collect(),
            watchers: Mutex::default(),
            mailbox_bytes,
            wake,
            woken,
            shared,
        }
    }

    /// The events that some client watches.
    pub(crate) fn events(&self) -> Events {
        self.shared.events()
    }

    /// The event log of a worker. The one after the last worker's is for all other threads.
    pub(crate) fn log(&self, worker: usize) -> &Arc<EventLog> {
        &self.logs[worker]
    }

    pub(super) fn update_events(&self, watchers: &[Arc<Mailbox>]) {
        let all = watchers.iter().map(|it| it.events);
        let events = all.fold(Events::default(), Events::and);
        self.shared.events.store(events.0, Ordering::Relaxed);
    }
}
