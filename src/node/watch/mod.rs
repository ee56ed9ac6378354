//! `watch`: sends clients a line for each event.
//!
//! ```text
//! workers --lines--> a bounded log each --the thread "watch"--> a bounded mailbox for each
//!                                                                watcher --its worker--> socket
//! ```
//!
//! While no client watches, a turn costs one load of [`Watch::events`]. While one does, workers
//! write lines to their event logs; lines that do not fit are dropped and counted. A watcher that
//! does not read fills its mailbox; the lines it misses are counted, and it is sent the number when
//! it reads again.

mod event_log;
mod mailbox;
mod thread;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Node;
use crate::limits::WATCHERS_MAX;
use crate::protocol::text::Events;
pub(crate) use event_log::EventLog;
use mailbox::Mailbox;
pub(crate) use thread::start;

/// The watchers and the event logs of a node.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// One for each worker, and one for all other threads.
    logs: Vec<Arc<EventLog>>,
    watchers: Mutex<Vec<Arc<Mailbox>>>,
    mailbox_bytes: usize,
    wake: crossbeam_channel::Sender<()>,
    woken: crossbeam_channel::Receiver<()>,
}

/// WaitState shared with the event logs.
#[derive(Debug, Default)]
struct Shared {
    /// The events that some client watches.
    events: AtomicU16,
    /// The number of the last line.
    lines: AtomicU64,
}

/// A client that watches. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) node: Arc<Node>,
    pub(crate) mailbox: Arc<Mailbox>,
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

    /// Starts to send a client these events. `None` if too many clients watch already.
    pub(crate) fn begin(node: &Arc<Node>, events: Events) -> Option<Watcher> {
        let this = &node.watch;
        let mut watchers = this.watchers.lock();
        if watchers.len() == WATCHERS_MAX {
            return None;
        }
        let first_line = this.shared.lines.fetch_add(1, Ordering::Relaxed) + 1;
        let mailbox = Arc::new(Mailbox::new(events, first_line, this.mailbox_bytes));
        watchers.push(Arc::clone(&mailbox));
        this.update_events(&watchers);
        drop(watchers);
        node.counters.log_watchers.count_shared();
        // A full channel wakes the thread as well.
        let _ = this.wake.try_send(());
        Some(Watcher {
            node: Arc::clone(node),
            mailbox,
        })
    }

    fn update_events(&self, watchers: &[Arc<Mailbox>]) {
        let all = watchers.iter().map(|it| it.events);
        let events = all.fold(Events::default(), Events::and);
        self.shared.events.store(events.0, Ordering::Relaxed);
    }
}

impl Shared {
    fn events(&self) -> Events {
        Events(self.events.load(Ordering::Relaxed))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let watch = &self.node.watch;
        let mut watchers = watch.watchers.lock();
        watchers.retain(|it| !Arc::ptr_eq(it, &self.mailbox));
        watch.update_events(&watchers);
        drop(watchers);
        self.node.counters.log_watchers.uncount_shared();
    }
}
