//! Writing to stderr without its lock.
//!
//! std's own handle is locked while it writes. A write that waits would keep the lock, and with it
//! every other thread that prints something.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::limits::LOG_RETRY_MS;

/// stderr, for one thread only.
#[derive(Debug)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(io::stderr(), bytes) {
                // Another process that has it open made it non-blocking.
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
