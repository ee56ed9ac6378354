//! Logs on stderr: one event with fields for each change of state.
//!
//! Only the `log` thread waits for stderr, see [`queue`]. [`Repeated`] limits events that may
//! repeat without end.

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
use queue::QUEUE;
pub use repeated::Repeated;
use stderr::Stderr;

/// Changes the level while the log runs.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts logging; `verbosity` is the number of `-v`. Lines wait in the queue until [`write_on`].
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
    // A second start, in a test, has no effect.
    if started.is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Starts the thread that writes the log. Must be called after the process has detached, because no
/// thread survives that.
///
/// # Errors
/// The system refuses a thread.
pub fn write_on() -> io::Result<()> {
    QUEUE.start_thread(Stderr)
}

/// Writes the queued lines, but waits for stderr at most [`LOG_FLUSH_MS`]. Then the thread has
/// ended, unless stderr blocks.
pub fn flush() {
    match write_on() {
        Ok(()) => QUEUE.end_thread(Duration::from_millis(LOG_FLUSH_MS)),
        Err(_) => QUEUE.write_rest(Stderr),
    }
}

/// Flushes when it is dropped, at the end of `main`, so that a panic of `main` is logged, too.
pub struct FlushAtExit;

impl Drop for FlushAtExit {
    fn drop(&mut self) {
        flush();
    }
}

/// Queues a line unchanged.
pub fn line(text: &str) {
    QUEUE.push(text.as_bytes());
}

/// Log lines dropped since the start because stderr blocked.
pub fn lines_dropped() -> u64 {
    QUEUE.dropped()
}

/// Sets the level as if the node was started with so many `-v`. An event below the level costs one
/// comparison.
pub fn set_verbosity(verbosity: u32) {
    if let Some(handle) = LEVEL.get() {
        // It fails only if logging has ended.
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

/// Queues each event as one line.
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
