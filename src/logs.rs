//! Logs: one event for each change of state, on stderr, with fields.
//!
//! No thread waits for stderr but the `log` thread, see [`queue`]. Events may also repeat without
//! end; [`Repeated`] limits those.

pub(crate) mod clients;

mod panics;
mod queue;
mod repeated;
mod stderr;

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::limits::LOG_FLUSH_MS;
pub use panics::log_panics;
use queue::Queue;
pub use repeated::Repeated;
use stderr::Stderr;

/// Changes the level of the running log.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();
/// Everything on its way to stderr.
static QUEUE: Queue = Queue::new();

/// Starts logging; `verbosity` counts the `-v`. Until [`write_on`] the lines wait in the queue.
pub fn start(verbosity: u8) {
    let (level, handle) = reload::Layer::new(level(u32::from(verbosity)));
    let lines = fmt::layer()
        .with_writer(|| Lines)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let started = tracing_subscriber::registry()
        .with(level)
        .with(lines)
        .try_init();
    // A second start, in a test, keeps the first's level.
    if started.is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Starts the thread that writes the log. To be called after the process has detached: no thread
/// survives that.
///
/// # Errors
/// The system refuses a thread.
pub fn write_on() -> io::Result<()> {
    QUEUE.start_thread(Stderr)
}

/// Writes what is queued, but waits for stderr no longer than [`LOG_FLUSH_MS`]. The thread has
/// ended then, unless stderr blocks.
pub fn flush() {
    match write_on() {
        Ok(()) => QUEUE.end_thread(Duration::from_millis(LOG_FLUSH_MS)),
        Err(_) => QUEUE.write_rest(Stderr),
    }
}

/// Flushes when it is dropped, as late as `main` can do it: a panic of `main` is told, too.
#[derive(Debug)]
pub struct FlushAtExit;

impl Drop for FlushAtExit {
    fn drop(&mut self) {
        flush();
    }
}

/// Puts a line into the log as it is.
pub fn line(text: &str) {
    QUEUE.push(text.as_bytes());
}

/// Log lines that were dropped since the start, because stderr took no more.
pub fn lines_dropped() -> u64 {
    QUEUE.dropped()
}

/// Logs as if the node had been started with so many `-v`. What is not logged costs one look at a
/// number.
pub fn set_verbosity(verbosity: u32) {
    if let Some(handle) = LEVEL.get() {
        // It fails only if nothing is logged any more.
        let _ = handle.reload(level(verbosity));
    }
}

fn level(verbosity: u32) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Takes each event as one write.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        QUEUE.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
