//! Two memtwin nodes as real processes, each the other's failover, with a proxy on their link.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::client::Client;
use crate::proxy::Proxy;
use crate::server::{Address, Server, free_port, loopback};
use crate::subject::Subject;

/// How long anything may take that must happen in the end.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A pair of nodes: side 0 dials side 1 through the proxy.
#[derive(Debug)]
pub struct Pair {
    subject: Subject,
    nodes: [Option<Server>; 2],
    flags: [Vec<String>; 2],
    client_ports: [u16; 2],
    link_ports: [u16; 2],
    link: Proxy,
    folder: TempDir,
}

impl Pair {
    /// A pair whose nodes are not running yet. `flags` are given to both.
    pub fn prepare(flags: &[&str]) -> Result<Self> {
        let subject = Subject::memtwin()?;
        let folder = tempfile::tempdir()?;
        let key = folder.path().join("pair.pem");
        make_key(&subject, &key)?;
        let client_ports = [free_port()?, free_port()?];
        let link_ports = [free_port()?, free_port()?];
        let link = Proxy::start(loopback(link_ports[1]))?;
        let partners = [link.address(), loopback(link_ports[0])];
        let mut own_flags: [Vec<String>; 2] = Default::default();
        for side in 0..2 {
            let own = format!(
                "-l 127.0.0.1 -p {} --node-id n{} --side {side} --replication-listen {} \
                 --failover {} --msm-nodes n1,n2 --key-file",
                client_ports[side],
                side + 1,
                loopback(link_ports[side]),
                partners[side],
            );
            own_flags[side].extend(own.split_whitespace().map(str::to_owned));
            own_flags[side].push(key.to_string_lossy().into_owned());
            own_flags[side].extend(flags.iter().map(|&flag| flag.to_owned()));
        }
        Ok(Self {
            subject,
            nodes: [None, None],
            flags: own_flags,
            client_ports,
            link_ports,
            link,
            folder,
        })
    }

    /// A pair of which both nodes serve, and go on serving if the other one is lost.
    pub fn start(flags: &[&str]) -> Result<Self> {
        let mut pair = Self::prepare(flags)?;
        pair.launch_both()?;
        Ok(pair)
    }

    /// Starts the processes of both sides, and waits until they serve, are linked and have each
    /// other's table.
    pub fn launch_both(&mut self) -> Result<()> {
        self.launch(0)?;
        self.launch(1)?;
        for side in 0..2 {
            self.wait_until_open(side)?;
            self.wait_for_stat(side, "link", "up")?;
            self.wait_until_complete(side)?;
        }
        Ok(())
    }

    /// Changes the value of a flag before the node of this side is launched.
    pub fn set_flag(&mut self, side: usize, name: &str, value: &str) -> Result<()> {
        let flags = &mut self.flags[side];
        let at = flags.iter().position(|flag| flag == name);
        let at = at.with_context(|| format!("{name} is not among the flags"))?;
        value.clone_into(&mut flags[at + 1]);
        Ok(())
    }

    /// Adds a flag before the node of this side is launched.
    pub fn add_flag(&mut self, side: usize, flag: &str) {
        self.flags[side].push(flag.to_owned());
    }

    /// Starts the process of this side, with the same command line every time.
    pub fn launch(&mut self, side: usize) -> Result<()> {
        let flags: Vec<&str> = self.flags[side].iter().map(String::as_str).collect();
        let address = self.client_address(side);
        self.nodes[side] = Some(Server::spawn(&self.subject, &flags, address)?);
        Ok(())
    }

    /// The same with a wrong wall clock, see [`Subject::with_wall_clock`].
    pub fn launch_with_wall_clock(&mut self, side: usize, wall: &str) -> Result<()> {
        let subject = self.subject.with_wall_clock(wall, self.folder.path())?;
        let flags: Vec<&str> = self.flags[side].iter().map(String::as_str).collect();
        let address = self.client_address(side);
        self.nodes[side] = Some(Server::spawn(&subject, &flags, address)?);
        Ok(())
    }

    /// The same with its standard error elsewhere.
    pub fn launch_logging_to(&mut self, side: usize, stderr: Stdio) -> Result<()> {
        let flags: Vec<&str> = self.flags[side].iter().map(String::as_str).collect();
        let address = self.client_address(side);
        let node = Server::spawn_logging_to(&self.subject, &flags, address, stderr)?;
        self.nodes[side] = Some(node);
        Ok(())
    }

    /// Kills the process of this side with SIGKILL.
    pub fn kill(&mut self, side: usize) {
        self.nodes[side] = None;
    }

    /// Hands out the process of this side.
    pub fn take(&mut self, side: usize) -> Result<Server> {
        self.nodes[side]
            .take()
            .with_context(|| format!("side {side} is not running"))
    }

    /// Freezes the process of this side.
    pub fn freeze(&self, side: usize) -> Result<()> {
        self.node(side)?.signal(Signal::STOP)
    }

    /// Lets a frozen process run again.
    pub fn thaw(&self, side: usize) -> Result<()> {
        self.node(side)?.signal(Signal::CONT)
    }

    /// The running process of this side.
    pub fn node(&self, side: usize) -> Result<&Server> {
        self.nodes[side]
            .as_ref()
            .with_context(|| format!("side {side} is not running"))
    }

    /// A new connection to this side.
    pub fn client(&self, side: usize) -> Result<Client> {
        self.node(side)?.connect()
    }

    /// Where this side listens for clients.
    pub fn client_address(&self, side: usize) -> Address {
        Address::Tcp(loopback(self.client_ports[side]))
    }

    /// The proxy on the link.
    pub fn link(&self) -> &Proxy {
        &self.link
    }

    /// The flags of this side, for another process of its kind.
    pub fn flags(&self, side: usize) -> &[String] {
        &self.flags[side]
    }

    /// The replication port of this side, past the proxy.
    pub fn link_address(&self, side: usize) -> Address {
        Address::Tcp(loopback(self.link_ports[side]))
    }

    /// A folder that lives as long as the pair.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The pair's key.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("pair.pem")
    }

    /// Makes another pair's key and returns its file.
    pub fn strangers_key(&self) -> Result<PathBuf> {
        let key = self.folder.path().join("stranger.pem");
        make_key(&self.subject, &key)?;
        Ok(key)
    }

    /// Waits until the client port of this side answers.
    pub fn wait_until_open(&self, side: usize) -> Result<()> {
        self.node(side)?
            .wait_until_it_answers(PATIENCE)
            .with_context(|| format!("side {side}"))
    }

    /// Waits until this side has had its partner's table.
    pub fn wait_until_complete(&self, side: usize) -> Result<()> {
        eventually(&format!("side {side} has the table"), || {
            Ok(self.stat(side, "pass_received")? != "0")
        })
    }

    /// One value of `stats replication` of this side.
    pub fn stat(&self, side: usize, name: &str) -> Result<String> {
        let stats = self.client(side)?.stats("stats replication")?;
        stats
            .get(name)
            .cloned()
            .with_context(|| format!("no {name} in {stats:?}"))
    }

    /// Waits until a value of `stats replication` is as wanted.
    pub fn wait_for_stat(&self, side: usize, name: &str, wanted: &str) -> Result<()> {
        eventually(&format!("{name} of side {side} is {wanted}"), || {
            Ok(self.stat(side, name)? == wanted)
        })
    }

    /// Waits until `get key` on this side answers `value` (`None`: a miss).
    pub fn wait_for_value(&self, side: usize, key: &str, value: Option<&[u8]>) -> Result<()> {
        let mut client = self.client(side)?;
        eventually(&format!("{key} of side {side} is as wanted"), || {
            Ok(client.get(key)?.as_deref() == value)
        })
    }

    /// Waits until both sides answer the same, flags included, for each of these keys.
    pub fn wait_until_equal(&self, keys: &[String]) -> Result<()> {
        let mut clients = [self.client(0)?, self.client(1)?];
        eventually("both sides hold the same", || {
            let [left, right] = &mut clients;
            Ok(answers(left, keys)? == answers(right, keys)?)
        })
    }
}

/// `count` keys that begin with `prefix`.
pub fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

/// Stores "`mark` of `key`" under each key.
pub fn fill(client: &mut Client, keys: &[String], mark: &str) -> Result<()> {
    for key in keys {
        let stored = client.set(key, format!("{mark} of {key}").as_bytes())?;
        ensure!(stored == "STORED", "set {key}: {stored}");
    }
    Ok(())
}

/// What a node answers to `gets` of each key, CAS unique included.
fn answers(client: &mut Client, keys: &[String]) -> Result<Vec<Vec<u8>>> {
    keys.iter()
        .map(|key| {
            client.send_line(&format!("gets {key}"))?;
            client.read_until(b"END\r\n")
        })
        .collect()
}

/// Waits until `done` says so, looking again and again.
pub fn eventually(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if done().with_context(|| what.to_owned())? {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("waited in vain until {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes a pair's key.
pub(crate) fn make_key(subject: &Subject, path: &Path) -> Result<()> {
    let made = Command::new(subject.program())
        .arg("keygen")
        .arg(path)
        .output()?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(
        made.status.success(),
        "{} keygen: {said}",
        subject.program().display()
    );
    Ok(())
}
