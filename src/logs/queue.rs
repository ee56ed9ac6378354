//! The queue between whoever logs and the thread that writes to stderr.
//!
//! stderr can block for as long as its reader likes: a pipe that nobody reads, a terminal that was
//! stopped with Ctrl-S. So only the `log` thread writes to it, and only that thread ever waits.
//! Lines that do not fit the queue are dropped and counted, and one line says so when there is room
//! again.
//!
//! stderr itself stays a blocking descriptor: O_NONBLOCK belongs to the open file, which other
//! processes (the shell, a supervisor) share. tracing-appender has a non-blocking writer, too, but
//! bounds lines, not bytes, waits longer at the exit, and does not say what it dropped.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::limits::{LOG_QUEUE_BYTES, LOG_WRITE_BYTES};

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to write, or the thread is to end.
    work: Condvar,
    /// The thread has ended.
    ended: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// Whole lines, each with its end.
    lines: VecDeque<u8>,
    /// Lines dropped that no line has told of yet.
    untold: u64,
    /// The thread ends once the queue is empty.
    ending: bool,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
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

    /// Queues a line, or counts it as dropped; never waits for stderr.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state.lock();
        // Once lines were dropped, there is no room until half of the queue is free: otherwise a
        // slow reader would see a line of its own for every few lines that were dropped.
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

    /// Starts the thread that writes what is queued. Does nothing if it runs.
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

    /// Ends the thread once everything is written, and waits for that no longer than `patience`.
    /// What is not written by then stays queued; nobody waits for the thread any more.
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
        // It has nothing left to do but end.
        let _ = thread.join();
    }

    /// Writes what is queued on the thread of the caller, for want of another, and waits for
    /// stderr as long as that takes.
    pub(super) fn write_rest(&self, out: impl Write) {
        self.state.lock().ending = true;
        self.write_all(out);
    }

    /// The thread: writes until it is told to end and has written everything.
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

    /// Waits for lines and takes some; false once the thread is to end. `works`: the last ones
    /// were written.
    fn take(&self, chunk: &mut Vec<u8>, works: bool) -> bool {
        chunk.clear();
        let mut state = self.state.lock();
        loop {
            if works && state.untold > 0 && state.lines.len() <= LOG_QUEUE_BYTES / 2 {
                state.tell_what_was_dropped();
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

    fn count_dropped(&self, state: &mut State, lines: u64) {
        state.untold += lines;
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}

impl State {
    /// How many bytes to write at once: whole lines, so that what other processes write to the
    /// same pipe or file does not come in between.
    fn whole_lines(&self) -> usize {
        let is_end = |&byte: &u8| byte == b'\n';
        let bytes = self.lines.len().min(LOG_WRITE_BYTES);
        let last = self.lines.range(..bytes).rposition(is_end);
        let first = || self.lines.iter().position(is_end);
        last.or_else(first).map_or(self.lines.len(), |end| end + 1)
    }

    fn tell_what_was_dropped(&mut self) {
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
