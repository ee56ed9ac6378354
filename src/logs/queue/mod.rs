//! The queue between the threads that log and the thread that writes to stderr.
//!
//! stderr can block without end: a pipe that nobody reads, a terminal stopped with Ctrl-S. So only
//! the `log` thread writes to it. Lines that do not fit the queue are dropped and counted, and when
//! there is space again one line says how many.
//!
//! stderr itself stays a blocking descriptor: O_NONBLOCK belongs to the open file, which other
//! processes (the shell, a supervisor) share. tracing-appender has a non-blocking writer, too, but
//! it bounds lines, not bytes, waits longer at the exit, and does not report dropped lines.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::limits::{LOG_QUEUE_BYTES, LOG_WRITE_BYTES};

/// Lines that are not written to stderr yet.
pub(super) static QUEUE: Queue = Queue::new();

/// The queue of log lines.
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// There are lines to write, or the thread is to end.
    work: Condvar,
    /// The thread has ended.
    ended: Condvar,
    dropped: AtomicU64,
}

struct QueueState {
    /// Complete lines, each with its line end.
    lines: VecDeque<u8>,
    /// Dropped lines that were not reported yet.
    untold: u64,
    /// The thread ends once the queue is empty.
    ending: bool,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::new(QueueState {
                lines: VecDeque::new(),
                untold: 0,
                ending: false,
                thread: None,
            }),
            work: Condvar::new(),
            ended: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Queues a line, or counts it as dropped. Never blocks.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state.lock();
        // Once a line was dropped, all are until half of the queue is free: a slow reader would
        // otherwise get a notice for every few dropped lines.
        let bytes_max = if state.untold > 0 {
            LOG_QUEUE_BYTES / 2
        } else {
            LOG_QUEUE_BYTES
        };
        if state.lines.len() + line.len() + 1 > bytes_max {
            self.count_dropped(&mut state, 1);
            return;
        }
        state.lines.extend(line);
        if !line.ends_with(b"\n") {
            state.lines.push_back(b'\n');
        }
        drop(state);
        self.work.notify_one();
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Starts the thread that writes the queue, unless it runs.
    pub(super) fn start_thread(&'static self, out: impl Write + Send + 'static) -> io::Result<()> {
        let mut state = self.state.lock();
        state.ending = false;
        if state.thread.is_some() {
            return Ok(());
        }
        let thread = thread::Builder::new().name("log".to_owned());
        state.thread = Some(thread.spawn(move || self.write_all(out))?);
        Ok(())
    }

    /// Ends the thread once everything is written, waiting at most `patience`. Lines not written by
    /// then stay queued.
    pub(super) fn end_thread(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        state.ending = true;
        self.work.notify_one();
        let Some(thread) = state.thread.take() else {
            return;
        };
        while state.ending {
            if self.ended.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
        drop(state);
        // The thread is about to end.
        let _ = thread.join();
    }

    /// Writes the queue on the caller's thread, if there is no other. Blocks as long as stderr
    /// does.
    pub(super) fn write_rest(&self, out: impl Write) {
        self.state.lock().ending = true;
        self.write_all(out);
    }

    /// The thread: writes until it is to end and the queue is empty.
    fn write_all(&self, mut out: impl Write) {
        let mut chunk = Vec::with_capacity(LOG_WRITE_BYTES);
        let mut works = true;
        while self.take(&mut chunk, works) {
            works = out.write_all(&chunk).is_ok();
            if !works {
                let lost = memchr::memchr_iter(b'\n', &chunk).count();
                self.count_dropped(&mut self.state.lock(), lost as u64);
            }
        }
    }

    /// Waits for lines and takes some. False once the thread is to end. `works`: the last lines
    /// were written.
    fn take(&self, chunk: &mut Vec<u8>, works: bool) -> bool {
        chunk.clear();
        let mut state = self.state.lock();
        loop {
            if works && state.untold > 0 && state.lines.len() <= LOG_QUEUE_BYTES / 2 {
                state.report_dropped();
            }
            if !state.lines.is_empty() {
                break;
            }
            if state.ending {
                state.ending = false;
                self.ended.notify_all();
                return false;
            }
            self.work.wait(&mut state);
        }
        let bytes = state.whole_lines();
        chunk.extend(state.lines.drain(..bytes));
        true
    }

    fn count_dropped(&self, state: &mut QueueState, lines: u64) {
        state.untold += lines;
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}

impl QueueState {
    /// The number of bytes to write at once: complete lines, so that output of other processes does
    /// not come in between.
    fn whole_lines(&self) -> usize {
        let is_end = |&byte: &u8| byte == b'\n';
        let bytes = self.lines.len().min(LOG_WRITE_BYTES);
        let last = self.lines.range(..bytes).rposition(is_end);
        let first = || self.lines.iter().position(is_end);
        last.or_else(first).map_or(self.lines.len(), |end| end + 1)
    }

    fn report_dropped(&mut self) {
        let mut time = String::new();
        // It fails only if the clock cannot be shown.
        let _ = SystemTime.format_time(&mut format::Writer::new(&mut time));
        let lines = std::mem::take(&mut self.untold);
        let text = format!(
            "{time}  WARN {lines} log lines were dropped: stderr was not read fast enough\n"
        );
        self.lines.extend(text.as_bytes());
    }
}

#[cfg(test)]
mod tests;
