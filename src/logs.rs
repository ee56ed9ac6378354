//! Logs: one event for each change of state, on stderr, with fields.

mod repeated;

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

pub use repeated::Repeated;

/// Changes the level of the running log.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts logging; `verbosity` counts the `-v`.
pub fn start(verbosity: u8) {
    let (level, handle) = reload::Layer::new(level(u32::from(verbosity)));
    let lines = fmt::layer()
        .with_writer(io::stderr)
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
