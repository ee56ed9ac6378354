//! The mailbox of one watcher: lines that its client was not sent yet.

use std::task::Waker;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::limits::{WATCH_LINE_BYTES, WATCHER_PATIENCE_MS, WATCHER_SKIPPED_BYTES};
use crate::protocol::text::Events;

/// Filled by the `watch` thread and emptied by the watcher's worker.
pub(crate) struct Mailbox {
    pub(super) events: Events,
    /// The first line written after it began to watch.
    pub(super) first_line: u64,
    bytes_max: usize,
    inside: Mutex<Inside>,
    room: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    lines: Vec<u8>,
    /// Bytes taken out and not written to the socket yet. They count as in the mailbox.
    leaving_bytes: usize,
    /// Lines dropped since the last one that was put in.
    skipped: u64,
    /// The `watch` thread has waited for it once since it last took something.
    is_stuck: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    pub(super) fn new(events: Events, first_line: u64, bytes_max: usize) -> Self {
        Self {
            events,
            first_line,
            bytes_max: bytes_max.max(WATCH_LINE_BYTES + WATCHER_SKIPPED_BYTES),
            inside: Mutex::default(),
            room: Condvar::new(),
        }
    }

    /// Puts a line in. False if it is dropped. The thread waits a moment for a watcher that reads.
    pub(super) fn put(&self, line: &[u8]) -> bool {
        let wanted_bytes = line.len() + WATCHER_SKIPPED_BYTES;
        let has_room =
            |it: &Inside| it.lines.len() + it.leaving_bytes + wanted_bytes <= self.bytes_max;
        let mut inside = self.inside.lock();
        if !has_room(&inside) && !inside.is_stuck {
            let patience = Duration::from_millis(WATCHER_PATIENCE_MS);
            if let Some(waker) = inside.waker.take() {
                waker.wake();
            }
            self.room
                .wait_while_for(&mut inside, |it| !has_room(it), patience);
            inside.is_stuck = !has_room(&inside);
        }
        if !has_room(&inside) {
            inside.skipped += 1;
            return false;
        }
        let skipped = std::mem::take(&mut inside.skipped);
        if skipped > 0 {
            let words = format!("skipped={skipped}\n");
            inside.lines.extend_from_slice(words.as_bytes());
        }
        inside.lines.extend_from_slice(line);
        true
    }

    /// Wakes the watcher's task.
    pub(super) fn wake(&self) {
        let mut inside = self.inside.lock();
        if inside.lines.is_empty() {
            return;
        }
        let waker = inside.waker.take();
        drop(inside);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes everything out; what was taken before counts as written. `None` if it is empty:
    /// `waker` is called when there is a line.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Vec<u8>> {
        let mut inside = self.inside.lock();
        inside.is_stuck = false;
        inside.leaving_bytes = inside.lines.len();
        let taken = std::mem::take(&mut inside.lines);
        if taken.is_empty() {
            inside.waker = Some(waker.clone());
        }
        drop(inside);
        self.room.notify_one();
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Regression: rounds without a line for a watcher took its waker without calling it, so it was
    /// never woken again.
    #[test]
    fn a_waiting_watcher_is_woken_by_the_first_line() {
        let woken = Arc::new(Woken::default());
        let mailbox = Mailbox::new(Events::FETCHERS, 1, 8 << 10);
        assert!(mailbox.take(&Waker::from(Arc::clone(&woken))).is_none());
        mailbox.wake();
        mailbox.wake();
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(mailbox.put(LINE));
        mailbox.wake();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    const LINE: &[u8] = &[b'x'; 99];

    fn fill(mailbox: &Mailbox) -> usize {
        (0..10_000).take_while(|_| mailbox.put(LINE)).count()
    }

    #[test]
    fn a_watcher_that_does_not_read_misses_lines_and_gets_their_number() {
        let mailbox = Mailbox::new(Events::FETCHERS, 1, 8 << 10);
        let lines = fill(&mailbox);
        assert!(lines > 50, "{lines}");
        assert!(!mailbox.put(LINE));
        let taken = mailbox.take(Waker::noop()).unwrap();
        assert_eq!(taken.len(), lines * LINE.len());
        // It is not written yet, so it counts as in the mailbox.
        assert!(!mailbox.put(LINE));
        assert!(mailbox.take(Waker::noop()).is_none());
        assert!(mailbox.put(LINE));
        let taken = mailbox.take(Waker::noop()).unwrap();
        assert_eq!(taken, [b"skipped=3\n", LINE].concat());
    }

    #[test]
    fn the_smallest_mailbox_takes_a_line() {
        let mailbox = Mailbox::new(Events::FETCHERS, 1, 1);
        assert!(mailbox.put(&[b'x'; WATCH_LINE_BYTES]));
        assert!(!mailbox.put(LINE));
    }
}
