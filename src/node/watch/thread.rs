//! The thread that carries lines from the workers' logs to the watchers' mailboxes. It sleeps while
//! nobody watches.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::Watch;
use super::event_log::Lines;
use crate::limits::{WATCH_PAUSE_MS, WATCH_PAUSE_MS_MAX};
use crate::node::Node;
use crate::stats::NodeCounters;

/// Starts the thread; it ends when the other end of `stop` is gone.
pub(crate) fn start(node: Arc<Node>, stop: Receiver<()>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || {
            loop {
                select! {
                    recv(stop) -> _ => return,
                    recv(node.watch.woken) -> _ => {}
                }
                if !carry_until_nobody_watches(&node, &stop) {
                    return;
                }
            }
        })
}

/// False if the node stops. Pauses grow while nothing happens;
/// a log that fills ends one.
fn carry_until_nobody_watches(node: &Node, stop: &Receiver<()>) -> bool {
    let mut fetched = Lines::default();
    let mut pause_ms = WATCH_PAUSE_MS;
    while node.watch.is_watched() {
        let pause = Duration::from_millis(pause_ms);
        select! {
            recv(stop) -> _ => return false,
            recv(node.watch.woken) -> _ => {}
            default(pause) => {}
        }
        pause_ms = if node.watch.carry(&mut fetched, &node.counters) {
            WATCH_PAUSE_MS
        } else {
            (pause_ms * 2).min(WATCH_PAUSE_MS_MAX)
        };
    }
    node.watch.forget_lines();
    true
}

impl Watch {
    fn is_watched(&self) -> bool {
        !self.watchers.lock().is_empty()
    }

    /// One round over all logs; whether there was anything.
    fn carry(&self, fetched: &mut Lines, counters: &NodeCounters) -> bool {
        let watchers = self.watchers.lock().clone();
        let mut found = false;
        for log in &self.logs {
            log.fetch(fetched);
            found |= fetched.written > 0;
            // Only this thread writes these.
            counters.log_worker_written.add(fetched.written);
            counters.log_worker_dropped.add(fetched.dropped);
            for (event, number, line) in fetched.each() {
                let wanting = watchers
                    .iter()
                    .filter(|it| it.events.meets(event) && number >= it.first_line);
                for watcher in wanting {
                    if watcher.put(line) {
                        counters.log_watcher_sent.add(1);
                    } else {
                        counters.log_watcher_skipped.add(1);
                    }
                }
            }
        }
        for watcher in &watchers {
            watcher.wake();
        }
        found
    }

    /// Gives the memory of the logs back.
    fn forget_lines(&self) {
        for log in &self.logs {
            log.fetch(&mut Lines::default());
        }
    }
}
