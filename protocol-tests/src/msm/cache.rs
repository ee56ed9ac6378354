//! Two cache nodes, n1 and n2, of stock memcached or of memtwin: started, killed and restarted.

use std::env;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::pair::make_key;
use crate::server::{Address, Server, free_port, loopback};
use crate::subject::Subject;

const READY_LIMIT: Duration = Duration::from_secs(10);

/// The server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Two memcacheds from the PATH that know nothing of each other.
    Memcached,
    /// A pair of memtwins, each the other's failover.
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

    fn subject(self) -> Result<Subject> {
        match self {
            Self::Memcached => Subject::memcached(),
            Self::Memtwin => Subject::memtwin(),
        }
    }
}

/// The nodes n1 and n2, numbered 0 and 1.
pub struct Cache {
    subject: Subject,
    ports: [u16; 2],
    flags: [Vec<String>; 2],
    nodes: [Option<Server>; 2],
    dir: PathBuf,
}

impl Cache {
    /// Starts both nodes, their logs and key below `dir`, and waits until both serve.
    pub fn start(program: Program, dir: &Path) -> Result<Self> {
        Self::start_with(program, dir, &[])
    }

    /// The same with memtwins that ask for a password (`-S`), told in a configuration file.
    pub fn start_with_password(dir: &Path, user: &str, password: &str) -> Result<Self> {
        let path = dir.join("sasl.toml");
        let mut file = File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(
            file,
            "[client]\nsasl = true\n[sasl.users]\n{user} = \"{password}\""
        )?;
        let path = path.to_string_lossy().into_owned();
        let flags = ["-S".to_owned(), "--config".to_owned(), path];
        Self::start_with(Program::Memtwin, dir, &flags)
    }

    fn start_with(program: Program, dir: &Path, more: &[String]) -> Result<Self> {
        let subject = program.subject()?;
        let ports = [free_port()?, free_port()?];
        let mut flags =
            ports.map(|port| words(&format!("-l 127.0.0.1 -p {port} -U 0 -I 20m -m 256")));
        match program {
            Program::Memcached => flags
                .iter_mut()
                .for_each(|flags| flags.extend(words("-t 2"))),
            Program::Memtwin => {
                let key = dir.join("pair.pem");
                make_key(&subject, &key)?;
                let links = [free_port()?, free_port()?];
                for (side, flags) in flags.iter_mut().enumerate() {
                    flags.extend(pair_flags(side, links));
                    flags.push(key.to_string_lossy().into_owned());
                }
            }
        }
        for flags in &mut flags {
            flags.extend_from_slice(more);
        }
        let mut cache = Self {
            subject,
            ports,
            flags,
            nodes: [None, None],
            dir: dir.to_owned(),
        };
        cache.launch(0)?;
        cache.launch(1)?;
        cache.wait_until_ready(0)?;
        cache.wait_until_ready(1)?;
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
        loopback(self.ports[node]).to_string()
    }

    /// Ends a node with SIGKILL.
    pub fn kill(&mut self, node: usize) -> Result<()> {
        let killed = self.nodes[node].take();
        self.keep_log(node, &killed.context("the node is down already")?)
    }

    /// Starts a killed node with the command line it had, and waits until it serves.
    pub fn restart(&mut self, node: usize) -> Result<()> {
        self.launch(node)?;
        self.wait_until_ready(node)
    }

    fn launch(&mut self, node: usize) -> Result<()> {
        let flags: Vec<&str> = self.flags[node].iter().map(String::as_str).collect();
        let address = Address::Tcp(loopback(self.ports[node]));
        self.nodes[node] = Some(Server::spawn(&self.subject, &flags, address)?);
        Ok(())
    }

    fn keep_log(&self, node: usize, server: &Server) -> Result<()> {
        let path = self.dir.join(format!("n{}.log", node + 1));
        let mut log = File::options().create(true).append(true).open(path)?;
        Ok(log.write_all(server.log().as_bytes())?)
    }

    /// memtwin opens its client port only when it holds its partner's copy.
    fn wait_until_ready(&self, node: usize) -> Result<()> {
        let server = self.nodes[node].as_ref().context("the node is down")?;
        server.wait_until_it_answers(READY_LIMIT)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        for node in 0..2 {
            if let Some(server) = self.nodes[node].take() {
                // A log that cannot be kept must not hide what the test found.
                let _ = self.keep_log(node, &server);
            }
        }
    }
}

/// All that makes a node one of a pair, but for the value of its last flag, the key's file.
fn pair_flags(side: usize, links: [u16; 2]) -> Vec<String> {
    words(&format!(
        "--node-id n{} --side {side} --msm-nodes n1,n2 --replication-listen {} --failover {} \
         --key-file",
        side + 1,
        loopback(links[side]),
        loopback(links[1 - side]),
    ))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
