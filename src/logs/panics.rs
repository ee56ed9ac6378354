//! Panic messages. By default std prints them to stderr, and would block on it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write;
use std::{panic, thread};

use super::queue::QUEUE;

/// Logs the message of each panic like everything else, in std's words.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let mut text = format!("thread '{name}' {panic}\n");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            // A String takes everything.
            let _ = write!(text, "{trace}");
        }
        QUEUE.push(text.as_bytes());
    }));
}
