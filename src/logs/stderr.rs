//! Writing to stderr without its lock.
//!
//! std's handle is locked while it writes. A write that blocks would keep the lock, and block every
//! other thread that prints.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::limits::LOG_RETRY_MS;

/// stderr, used by one thread only.
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(io::stderr(), bytes) {
                // Another process that has it open has made it non-blocking.
                Err(rustix::io::Errno::AGAIN) => {
                    thread::sleep(Duration::from_millis(LOG_RETRY_MS));
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
