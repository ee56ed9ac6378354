//! The `watch` thread: moves lines from the event logs to the mailboxes. It sleeps while no client
//! watches.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::event_log::Lines;
use super::watchers::Watch;
use crate::limits::{WATCH_PAUSE_MS, WATCH_PAUSE_MS_MAX};
use crate::node::Node;
use crate::stats::NodeCounters;

/// Starts the thread. It ends when the sender of `stop` is dropped.
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

/// Pauses between two rounds, longer while nothing happens; a log that fills ends the pause. False
/// if the node stops.
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

    /// Moves the lines of all logs. True if there were any.
    fn carry(&self, fetched: &mut Lines, counters: &NodeCounters) -> bool {
        let watchers = self.watchers.lock().clone();
        let mut found = false;
        for log in &self.logs {
            log.fetch(fetched);
            found |= fetched.written > 0;
            // Only this thread writes these counters.
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

    /// Frees the memory of the logs.
    fn forget_lines(&self) {
        for log in &self.logs {
            log.fetch(&mut Lines::default());
        }
    }
}
