//! A standard error that takes nothing: a socket that is full and that nobody reads. It behaves as
//! a pipe without a reader, or as a terminal that was stopped with Ctrl-S.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::client::text;
use crate::pair::PATIENCE;

/// The reading end.
#[derive(Debug)]
pub struct Unread(UnixStream);

impl Unread {
    /// A new one, full already, and what to give to a process.
    pub fn new() -> Result<(Self, Stdio)> {
        let (reader, mut writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        // Less and less, until not a byte more fits.
        for bytes in [4096, 256, 1] {
            loop {
                match writer.write(&vec![b'.'; bytes]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        writer.set_nonblocking(false)?;
        Ok((Self(reader), Stdio::from(OwnedFd::from(writer))))
    }

    /// Reads until this was written; everything read until then.
    pub fn read_until(&mut self, wanted: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        self.0.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut all = Vec::new();
        let mut some = vec![0; 64 << 10];
        loop {
            match self.0.read(&mut some) {
                Ok(0) => bail!("the end came before {wanted:?}"),
                Ok(bytes) => all.extend_from_slice(&some[..bytes]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if memchr::memmem::find(&all, wanted.as_bytes()).is_some() {
                return Ok(text(&all));
            }
            if Instant::now() > deadline {
                bail!("waited in vain for {wanted:?}");
            }
        }
    }
}
