//! One client connection: a batch out, its replies in.

use std::io::{self, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::args::{Load, ServerSpec};
use crate::batch::{Batch, Keys};
use crate::replies::Replies;

pub(crate) struct Connection {
    stream: TcpStream,
    keys: Keys,
    batch: Batch,
    sent_bytes: usize,
    sent_at: Instant,
    replies: Replies,
}

impl Connection {
    pub(crate) fn open(
        server: &ServerSpec,
        load: &Load,
        keys: Keys,
        registry: &Registry,
        token: Token,
    ) -> Result<Self> {
        // Connected blocking: a refused port is then an error here, and the poll only sees replies.
        let stream = std::net::TcpStream::connect(server.address)
            .with_context(|| format!("cannot connect to {}", server.address))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            keys,
            batch: Batch::new(load, server.protocol),
            sent_bytes: 0,
            sent_at: Instant::now(),
            replies: Replies::new(load, server.protocol),
        })
    }

    pub(crate) fn requests_per_batch(&self) -> u64 {
        self.batch.requests() as u64
    }

    pub(crate) fn sent_at(&self) -> Instant {
        self.sent_at
    }

    pub(crate) fn send_batch(&mut self) -> Result<()> {
        self.batch.draw_keys(&mut self.keys);
        self.replies.restart();
        self.sent_bytes = 0;
        self.sent_at = Instant::now();
        self.send_rest()
    }

    /// Sends what the socket did not take at once.
    pub(crate) fn send_rest(&mut self) -> Result<()> {
        while self.sent_bytes < self.batch.bytes().len() {
            match self.stream.write(&self.batch.bytes()[self.sent_bytes..]) {
                Ok(bytes) => self.sent_bytes += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Reads what is there and says how many replies it completed. The poll is edge-triggered: a
    /// read that fills less than the space has emptied the socket.
    pub(crate) fn receive(&mut self) -> Result<u64> {
        let mut complete = 0;
        while !self.is_answered() {
            let space = self.replies.space();
            let asked_bytes = space.len();
            let bytes = match self.stream.read(space) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot receive"),
            };
            complete += self.replies.received(bytes, &self.batch)?;
            if bytes < asked_bytes {
                break;
            }
        }
        Ok(complete)
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.replies.all_here()
    }
}
