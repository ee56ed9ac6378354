//! A server process of a test: started on a free loopback port, killed on drop.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::client::Client;
use crate::packets::{Reply, opcode, packet};
use crate::pair::eventually;
use crate::process;
use crate::subject::{Kind, Subject};
use crate::tls::TlsClient;

/// How long a server may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Ports that are tried for one server.
const START_TRIES: u32 = 5;
/// What a server says whose port is taken.
const PORT_TAKEN: &str = "Address already in use";
/// Longest path of a unix socket, without the zero byte at its end.
const UNIX_PATH_BYTES: usize = 107;
/// Ports are handed out from below the range of outgoing connections.
const PORT_FIRST: u16 = 20_000;
const PORT_COUNT: u16 = 10_000;

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    /// A loopback port.
    Tcp(SocketAddr),
    /// A loopback port where TLS is spoken, and who speaks it.
    Tls(SocketAddr, TlsClient),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: Address,
    folder: TempDir,
    kind: Kind,
    /// Then it speaks binary only.
    asks_for_sasl: bool,
}

impl Server {
    /// Starts `subject` with `flags` on a free loopback port and waits until it answers.
    ///
    /// Another program may take the port in between; then it is started on the next one.
    pub fn start(subject: &Subject, flags: &[&str]) -> Result<Self> {
        Self::start_with(subject, flags, &[])
    }

    /// The same with these variables in its environment.
    pub fn start_with(
        subject: &Subject,
        flags: &[&str],
        variables: &[(&str, &Path)],
    ) -> Result<Self> {
        Self::start_speaking(subject, flags, variables, Address::Tcp)
    }

    /// As [`Server::start`], with flags that make it speak TLS to `client`.
    pub fn start_with_tls(subject: &Subject, flags: &[&str], client: &TlsClient) -> Result<Self> {
        Self::start_speaking(subject, flags, &[], |address| {
            Address::Tls(address, client.clone())
        })
    }

    fn start_speaking(
        subject: &Subject,
        flags: &[&str],
        variables: &[(&str, &Path)],
        speaking: impl Fn(SocketAddr) -> Address,
    ) -> Result<Self> {
        let mut tries = 0;
        loop {
            tries += 1;
            let port = free_port()?;
            let text = port.to_string();
            let mut all = vec!["-l", "127.0.0.1", "-p", &text];
            all.extend(flags);
            let server = Self::spawn_with(subject, &all, variables, speaking(loopback(port)))?;
            match server.wait_until_it_answers(START_PATIENCE) {
                Ok(()) => return Ok(server),
                Err(_) if tries < START_TRIES && server.log().contains(PORT_TAKEN) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts `subject` with `flags` on a unix socket and waits until it answers. The socket's path
    /// is as long as one may be.
    pub fn start_on_unix_socket(subject: &Subject, flags: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let room = UNIX_PATH_BYTES.saturating_sub(folder.path().as_os_str().len() + 1);
        let path = folder.path().join("s".repeat(room.max(1)));
        let text = path.to_string_lossy().into_owned();
        let mut all = vec!["-s", &text];
        all.extend(flags);
        let mut server = Self::spawn(subject, &all, Address::Unix(path))?;
        server.folder = folder;
        server.wait_until_it_answers(START_PATIENCE)?;
        Ok(server)
    }

    /// Starts the program with exactly these flags (and `-u root` where root needs it) and does
    /// not wait. `address` is where it is going to listen.
    pub fn spawn(subject: &Subject, flags: &[&str], address: Address) -> Result<Self> {
        Self::spawn_with(subject, flags, &[], address)
    }

    /// The same with its standard error elsewhere; [`Server::log`] knows nothing then.
    pub fn spawn_logging_to(
        subject: &Subject,
        flags: &[&str],
        address: Address,
        stderr: Stdio,
    ) -> Result<Self> {
        Self::spawn_in(
            tempfile::tempdir()?,
            subject,
            flags,
            &[],
            address,
            [Stdio::null(), stderr],
        )
    }

    fn spawn_with(
        subject: &Subject,
        flags: &[&str],
        variables: &[(&str, &Path)],
        address: Address,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = File::create(folder.path().join("log"))?;
        let output = [log.try_clone()?.into(), log.into()];
        Self::spawn_in(folder, subject, flags, variables, address, output)
    }

    fn spawn_in(
        folder: TempDir,
        subject: &Subject,
        flags: &[&str],
        variables: &[(&str, &Path)],
        address: Address,
        [stdout, stderr]: [Stdio; 2],
    ) -> Result<Self> {
        let mut command = Command::new(subject.program());
        if process::is_root() {
            command.args(["-u", "root"]);
        }
        let child = command
            .args(flags)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("cannot start {}", subject.program().display()))?;
        Ok(Self {
            child,
            address,
            folder,
            kind: subject.kind(),
            asks_for_sasl: flags.contains(&"-S"),
        })
    }

    /// Waits until a new connection is answered, or fails with what the server has logged.
    pub fn wait_until_it_answers(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if self.answers() {
                return Ok(());
            }
            if !self.is_running() || Instant::now() > deadline {
                bail!("{} does not answer; it logged:\n{}", self.kind, self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether a new connection gets an answer to `version`, be it that it must authenticate.
    pub fn answers(&self) -> bool {
        let Ok(mut client) = self.connect() else {
            return false;
        };
        client.set_patience(Duration::from_secs(2));
        if self.asks_for_sasl {
            let asked = client.send(&packet(opcode::VERSION).bytes());
            return asked.is_ok() && Reply::read(&mut client).is_ok_and(|reply| reply.status == 0);
        }
        client.ask("version").is_ok_and(|answer| {
            answer.starts_with("VERSION ") || answer == "CLIENT_ERROR unauthenticated"
        })
    }

    /// It runs, has not panicked, and serves a client that behaves.
    pub fn is_well(&self) -> Result<()> {
        ensure!(self.is_running(), "the server has ended:\n{}", self.log());
        let mut client = self.connect()?;
        let answer = client.set("well", b"behaved")?;
        ensure!(answer == "STORED", "set: {answer}");
        ensure!(client.get("well")?.as_deref() == Some(b"behaved".as_slice()));
        ensure!(client.ask("delete well")? == "DELETED");
        ensure!(!self.log().contains("panicked"), "a panic:\n{}", self.log());
        Ok(())
    }

    /// Whether the port (or socket) takes connections at all.
    pub fn is_open(&self) -> bool {
        self.connect().is_ok()
    }

    /// A new connection.
    pub fn connect(&self) -> Result<Client> {
        Client::connect(&self.address)
    }

    /// A new connection of this client to the same port.
    pub fn connect_as(&self, client: &TlsClient) -> Result<Client> {
        Client::connect(&Address::Tls(self.tcp_address()?, client.clone()))
    }

    /// A new connection to the same port that speaks openly.
    pub fn connect_openly(&self) -> Result<Client> {
        Client::connect(&Address::Tcp(self.tcp_address()?))
    }

    fn tcp_address(&self) -> Result<SocketAddr> {
        match &self.address {
            Address::Tcp(address) | Address::Tls(address, _) => Ok(*address),
            Address::Unix(_) => bail!("a unix socket has no port"),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        process::resident_bytes(self.pid())
    }

    /// Whether the process has not ended.
    pub fn is_running(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        process::signal(self.pid(), signal)
    }

    /// Waits for the end of the process.
    pub fn wait_for_end(&mut self, patience: Duration) -> Result<ExitStatus> {
        process::wait_for_end(&mut self.child, patience).with_context(|| self.kind.to_string())
    }

    /// Waits until its log contains this: a line may be written after the answer to a client.
    pub fn wait_until_logged(&self, text: &str) -> Result<()> {
        eventually(&format!("{} has logged {text:?}", self.kind), || {
            Ok(self.log().contains(text))
        })
    }

    /// Everything it has written to its standard output and error, wherever it writes it.
    pub fn log(&self) -> String {
        log_in(self.folder.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_in(folder: &Path) -> String {
    fs::read(folder.join("log")).map_or_else(
        |_| String::from("(no log)"),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// The loopback address with this port.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A loopback port nobody listens on, never handed out twice by this process.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run side by side begin at different places.
    let first = u16::try_from(std::process::id() * 37 % u32::from(PORT_COUNT))?;
    for _ in 0..PORT_COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORT_FIRST + (first + step % PORT_COUNT) % PORT_COUNT;
        if TcpListener::bind(loopback(port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "no free port between {PORT_FIRST} and {}",
        PORT_FIRST + PORT_COUNT
    )
}
