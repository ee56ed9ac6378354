//! A client that sees every byte.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::net::sockopt;

use crate::server::Address;
use crate::tls::TlsStream;

/// How long an answer may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 * 1024;
/// Longest answer `read_to_end` collects; more is a runaway server.
const ANSWER_BYTES_MAX: usize = 256 << 20;

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
}

/// One connection and the bytes it has received but not yet handed out.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    received: Vec<u8>,
    taken: usize,
    patience: Duration,
}

impl Client {
    /// Connects.
    pub fn connect(address: &Address) -> Result<Self> {
        let stream = match address {
            Address::Tcp(address) => Stream::Tcp(connect_tcp(address)?),
            Address::Tls(address, tls) => {
                let stream = connect_tcp(address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Stream::Tls(Box::new(tls.shake_hands(stream)?))
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Unix(stream)
            }
        };
        Ok(Self {
            stream,
            received: Vec::new(),
            taken: 0,
            patience: PATIENCE,
        })
    }

    /// Sets how long an answer may take.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends these bytes and nothing else.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// The TLS session of a connection that has one.
    pub fn tls(&self) -> Option<&rustls::ClientConnection> {
        match &self.stream {
            Stream::Tls(stream) => Some(&stream.conn),
            Stream::Tcp(_) | Stream::Unix(_) => None,
        }
    }

    /// Sends as much of `bytes` as the socket takes within `patience` and returns how much that
    /// was.
    pub fn send_some(&mut self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_write_timeout(Some(patience))?;
                stream.write(bytes)
            }
            Stream::Unix(stream) => {
                stream.set_write_timeout(Some(patience))?;
                stream.write(bytes)
            }
            Stream::Tls(stream) => {
                stream.sock.set_write_timeout(Some(patience))?;
                stream.write(bytes)
            }
        };
        match result {
            Err(error) if timed_out(&error) => Ok(0),
            other => other,
        }
    }

    /// Sends these bytes and takes what arrives meanwhile, so that neither side waits for the
    /// other with full buffers. Returns what has arrived.
    pub fn send_while_receiving(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        let mut sent = 0;
        while sent < bytes.len() {
            ensure!(Instant::now() < deadline, "the server does not read");
            sent += self.send_some(&bytes[sent..], Duration::from_millis(20))?;
            if sent < bytes.len() {
                self.receive(Instant::now() + Duration::from_millis(1))?;
            }
        }
        let received = self.received.split_off(self.taken);
        self.received.clear();
        self.taken = 0;
        Ok(received)
    }

    /// Whether the server has said, in TLS, that nothing follows.
    pub fn heard_goodbye(&mut self) -> Result<bool> {
        match &mut self.stream {
            Stream::Tls(stream) => Ok(stream.conn.process_new_packets()?.peer_has_closed()),
            Stream::Tcp(_) | Stream::Unix(_) => bail!("no TLS"),
        }
    }

    /// Sends a line with its CRLF.
    pub fn send_line(&mut self, line: &str) -> io::Result<()> {
        self.send(format!("{line}\r\n").as_bytes())
    }

    /// Sends a line and returns the first line of the answer, without its CRLF.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        self.send_line(line)?;
        self.read_text_line()
    }

    /// Sends a line that must be answered with this one.
    pub fn expect(&mut self, line: &str, answer: &str) -> Result<()> {
        let got = self.ask(line)?;
        ensure!(got == answer, "{line}: {got} instead of {answer}");
        Ok(())
    }

    /// Sends `set` with this value and returns the answer.
    pub fn set(&mut self, key: &str, value: &[u8]) -> Result<String> {
        self.store("set", key, 0, value)
    }

    /// Sends a storage command (`set`, `add`, ...) and returns the answer.
    pub fn store(
        &mut self,
        command: &str,
        key: &str,
        exptime_secs: i64,
        value: &[u8],
    ) -> Result<String> {
        let mut request = format!("{command} {key} 0 {exptime_secs} {}\r\n", value.len());
        request.reserve(value.len() + 2);
        let mut request = request.into_bytes();
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
        self.send(&request)?;
        self.read_text_line()
    }

    /// The value of a key.
    pub fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>> {
        let first = self.ask(&format!("get {key}"))?;
        if first == "END" {
            return Ok(None);
        }
        let length = first
            .strip_prefix("VALUE ")
            .and_then(|rest| rest.rsplit(' ').next())
            .and_then(|digits| digits.parse::<usize>().ok())
            .with_context(|| format!("get {key}: {first}"))?;
        let mut value = self.read_exactly(length + 2)?;
        ensure!(
            value.ends_with(b"\r\n"),
            "get {key}: the value does not end with CRLF"
        );
        value.truncate(length);
        let last = self.read_text_line()?;
        ensure!(last == "END", "get {key}: {last} after the value");
        Ok(Some(value))
    }

    /// The `STAT` lines of `stats` (or, say, `stats settings`) by key.
    pub fn stats(&mut self, command: &str) -> Result<HashMap<String, String>> {
        self.send_line(command)?;
        let mut all = HashMap::new();
        loop {
            let line = self.read_text_line()?;
            if line == "END" {
                return Ok(all);
            }
            let pair = line
                .strip_prefix("STAT ")
                .and_then(|rest| rest.split_once(' '));
            let (key, value) = pair.with_context(|| format!("{command}: {line}"))?;
            all.insert(key.to_owned(), value.to_owned());
        }
    }

    /// The next line, with its line end.
    pub fn read_line(&mut self) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        let mut searched = self.taken;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.received[searched..]) {
                let line = self.received[self.taken..=searched + at].to_vec();
                self.take(line.len());
                return Ok(line);
            }
            searched = self.received.len();
            match self.receive(deadline)? {
                Received::Bytes => {}
                Received::Closed => bail!("closed after {}", self.show_rest()),
                Received::Nothing => bail!("no answer (so far {})", self.show_rest()),
            }
        }
    }

    /// The next line as text, without its line end.
    pub fn read_text_line(&mut self) -> Result<String> {
        let line = self.read_line()?;
        Ok(String::from_utf8_lossy(&line)
            .trim_end_matches(['\r', '\n'])
            .to_owned())
    }

    /// The next `count` bytes.
    pub fn read_exactly(&mut self, count: usize) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        while self.received.len() - self.taken < count {
            match self.receive(deadline)? {
                Received::Bytes => {}
                Received::Closed => bail!("closed after {}", self.show_rest()),
                Received::Nothing => bail!("only {}", self.show_rest()),
            }
        }
        let bytes = self.received[self.taken..self.taken + count].to_vec();
        self.take(count);
        Ok(bytes)
    }

    /// Everything up to and with `mark`.
    pub fn read_until(&mut self, mark: &[u8]) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        let mut from = self.taken;
        loop {
            if let Some(at) = memchr::memmem::find(&self.received[from..], mark) {
                let bytes = self.received[self.taken..from + at + mark.len()].to_vec();
                self.take(bytes.len());
                return Ok(bytes);
            }
            from = self
                .received
                .len()
                .saturating_sub(mark.len())
                .max(self.taken);
            match self.receive(deadline)? {
                Received::Bytes => {}
                Received::Closed => bail!("closed after {}", self.show_rest()),
                Received::Nothing => bail!("no {:?} in {}", text(mark), self.show_rest()),
            }
        }
    }

    /// Everything until the server closes.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        loop {
            ensure!(self.received.len() < ANSWER_BYTES_MAX, "an endless answer");
            match self.receive(deadline)? {
                Received::Bytes => {}
                Received::Closed => {
                    let bytes = self.received.split_off(self.taken);
                    self.received.clear();
                    self.taken = 0;
                    return Ok(bytes);
                }
                Received::Nothing => bail!("not closed (so far {})", self.show_rest()),
            }
        }
    }

    /// What arrives within `wait`, possibly nothing.
    pub fn read_within(&mut self, wait: Duration) -> Result<Vec<u8>> {
        let deadline = Instant::now() + wait;
        while let Received::Bytes = self.receive(deadline)? {}
        let bytes = self.received.split_off(self.taken);
        self.received.clear();
        self.taken = 0;
        Ok(bytes)
    }

    /// Says that nothing more will be sent; answers can still be read.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush()
            }
        }
    }

    /// Closes with a reset, as a client does that is gone with answers unread.
    pub fn reset(self) -> Result<()> {
        let socket = match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tls(stream) => stream.sock.as_fd(),
        };
        Ok(sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Received> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Received::Nothing);
        }
        let filled = self.received.len();
        self.received.resize(filled + READ_BYTES, 0);
        let into = &mut self.received[filled..];
        let result = match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(into)
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(into)
            }
            Stream::Tls(stream) => {
                stream.sock.set_read_timeout(Some(left))?;
                stream.read(into)
            }
        };
        self.received
            .truncate(filled + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => Ok(Received::Closed),
            Ok(_) => Ok(Received::Bytes),
            Err(error) if timed_out(&error) => Ok(Received::Nothing),
            // A process that is stopped and goes on: its callers look again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Received::Bytes),
            // A server that closes with requests unread resets the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Received::Closed),
            // Nor does every server of TLS say goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Received::Closed),
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.received.len() {
            self.received.clear();
            self.taken = 0;
        } else if self.taken > READ_BYTES {
            self.received.drain(..self.taken);
            self.taken = 0;
        }
    }

    fn show_rest(&self) -> String {
        let rest = &self.received[self.taken..];
        format!(
            "{} bytes: {:?}",
            rest.len(),
            text(&rest[..rest.len().min(200)])
        )
    }
}

fn connect_tcp(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, CONNECT_PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

enum Received {
    Bytes,
    Closed,
    Nothing,
}

fn timed_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Bytes as text for messages.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
