//! Two cache nodes, n1 and n2, of stock memcached or of memtwin: started, killed and restarted.

use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::wait;

const READY_LIMIT: Duration = Duration::from_secs(10);
const PROBE_LIMIT: Duration = Duration::from_millis(500);

/// The server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Two memcacheds from the PATH that know nothing of each other.
    Memcached,
    /// A pair of memtwins, the binary named by `MEMTWIN_BIN`, else the workspace's release build.
    Memtwin,
}

impl Program {
    /// Both, or those that `MSM_SUBJECTS` names, parted by commas.
    pub fn chosen() -> Result<Vec<Self>> {
        let Ok(names) = env::var("MSM_SUBJECTS") else {
            return Ok(vec![Self::Memcached, Self::Memtwin]);
        };
        names.split(',').map(Self::parse).collect()
    }

    fn parse(name: &str) -> Result<Self> {
        match name.trim() {
            "memcached" => Ok(Self::Memcached),
            "memtwin" => Ok(Self::Memtwin),
            other => bail!("MSM_SUBJECTS: {other:?} is neither memcached nor memtwin"),
        }
    }

    /// What the report calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memcached => "memcached",
            Self::Memtwin => "memtwin",
        }
    }
}

/// The nodes n1 and n2, numbered 0 and 1.
pub struct Cache {
    nodes: [Node; 2],
}

impl Cache {
    /// Starts both nodes, their logs and keys below `dir`, and waits until both serve.
    pub fn start(program: Program, dir: &Path) -> Result<Self> {
        let ports = free_ports()?;
        let commands = match program {
            Program::Memcached => [0, 1].map(|side| memcached_command(ports[side])),
            Program::Memtwin => {
                let key = generate_key(dir)?;
                [0, 1].map(|side| memtwin_command(side, ports, &key))
            }
        };
        let nodes = [0, 1].map(|side| Node {
            port: ports[side],
            log: dir.join(format!("n{}.log", side + 1)),
            command: commands[side].clone(),
            process: None,
        });
        let mut cache = Self { nodes };
        for node in &mut cache.nodes {
            node.launch()?;
        }
        for node in &mut cache.nodes {
            node.wait_until_ready()?;
        }
        Ok(cache)
    }

    /// `n1:127.0.0.1:port,n2:127.0.0.1:port`, as MSM's `memcachedNodes` wants it.
    #[must_use]
    pub fn node_list(&self) -> String {
        format!("n1:{},n2:{}", self.address(0), self.address(1))
    }

    /// The address of one node.
    #[must_use]
    pub fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[node].port)
    }

    /// Ends a node with SIGKILL.
    pub fn kill(&mut self, node: usize) -> Result<()> {
        self.nodes[node].kill()
    }

    /// Starts a killed node with the command line it had, and waits until it serves.
    pub fn restart(&mut self, node: usize) -> Result<()> {
        self.nodes[node].launch()?;
        self.nodes[node].wait_until_ready()
    }
}

struct Node {
    port: u16,
    log: PathBuf,
    command: Vec<String>,
    process: Option<Child>,
}

impl Node {
    fn launch(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let (program, arguments) = self.command.split_first().context("an empty command")?;
        let process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        self.process = Some(process);
        Ok(())
    }

    /// memtwin opens its client port only when it holds its partner's copy.
    fn wait_until_ready(&mut self) -> Result<()> {
        let what = format!("{}, see {}", self.command.join(" "), self.log.display());
        let process = self.process.as_mut().context("the node is down")?;
        let port = self.port;
        wait::until(&what, READY_LIMIT, || {
            if let Some(status) = process.try_wait()? {
                bail!("{what}: ended with {status}");
            }
            Ok(answers(port).then_some(()))
        })
    }

    fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the node is down already")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.process.is_some() {
            let _ = self.kill();
        }
    }
}

/// Whether a server at `port` says its version.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, PROBE_LIMIT)?;
        stream.set_read_timeout(Some(PROBE_LIMIT))?;
        stream.write_all(b"version\r\n")?;
        let mut reply = [0; 8];
        stream.read_exact(&mut reply)?;
        Ok(&reply == b"VERSION ")
    };
    ask().unwrap_or(false)
}

/// `-u root` is what both ask for as root, and ignore otherwise.
fn memcached_command(port: u16) -> Vec<String> {
    words(&format!(
        "memcached -l 127.0.0.1 -p {port} -U 0 -u root -I 20m -m 256 -t 2"
    ))
}

fn memtwin_command(side: usize, ports: [u16; 4], key: &Path) -> Vec<String> {
    let (own, partner) = (side, 1 - side);
    let mut command = vec![memtwin_binary()];
    command.extend(words(&format!(
        "-l 127.0.0.1 -p {} -u root -I 20m -m 256 --node-id n{} --side {own} --msm-nodes n1,n2 \
         --replication-listen 127.0.0.1:{} --failover 127.0.0.1:{} --replication-mode async \
         --key-file",
        ports[own],
        own + 1,
        ports[2 + own],
        ports[2 + partner],
    )));
    command.push(key.display().to_string());
    command
}

fn memtwin_binary() -> String {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/memtwin");
    env::var("MEMTWIN_BIN").unwrap_or_else(|_| built.to_owned())
}

fn generate_key(dir: &Path) -> Result<PathBuf> {
    let key = dir.join("pair.key");
    let binary = memtwin_binary();
    let status = Command::new(&binary)
        .arg("keygen")
        .arg(&key)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {binary}; `cargo build --release` makes it"))?;
    ensure!(status.success(), "{binary} keygen: {status}");
    Ok(key)
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Ports below those the kernel hands out to clients: a killed node's port stays free for its
/// restart, and a client that keeps reconnecting to it cannot meet itself there.
fn free_ports() -> Result<[u16; 4]> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(id() * 16 % u32::from(COUNT))?;
    let mut found = Vec::with_capacity(4);
    for _ in 0..COUNT {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start + offset % COUNT) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            found.push(port);
        }
        if let Ok(ports) = <[u16; 4]>::try_from(found.as_slice()) {
            return Ok(ports);
        }
    }
    bail!("no four free ports from {FIRST} on")
}
