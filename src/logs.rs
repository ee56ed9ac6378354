//! Logs: one event for each change of state, on stderr, with fields.

use std::io::{self, IsTerminal};

use tracing::Level;

/// Starts logging; `verbosity` counts the `-v`.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => Level::INFO,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let logs = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(level);
    // A second start, in a test, keeps the first's level.
    let _ = logs.try_init();
}
