//! `memtwin pair`: a primary and its failover as two processes on this machine, to see what they
//! do.
//!
//! The two run from `config/primary.toml` and `config/failover.toml`, with a key of their own
//! making, in a private directory that goes when they do.

mod child;
mod folder;
mod ports;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::iter;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

use crate::cli::{self, PairFlags, Parsed};
use crate::config::StartupError;
use crate::limits::{PAIR_LOOK_MS, PAIR_START_MS};
use crate::logs;
use crate::replication::key;
use child::Child;
use folder::Folder;
use ports::Ports;

const PRIMARY: &str = include_str!("../../config/primary.toml");
const FAILOVER: &str = include_str!("../../config/failover.toml");
/// How often the children are looked at.
const LOOK: Duration = Duration::from_millis(PAIR_LOOK_MS);

/// Runs a pair until Ctrl-C.
///
/// # Errors
/// A flag is wrong, a port is taken (and by whom), or a node does not start.
pub fn run(flags: &PairFlags) -> Result<(), StartupError> {
    let node_flags = flags.for_a_node();
    // What a node would refuse is told here, in the same words and with the same exit code.
    let args = iter::once("memtwin".into()).chain(node_flags.clone());
    if let Parsed::Run(cli) = cli::parse(args)? {
        cli::load(cli)?;
    }
    let ports = Ports::from_base(flags.port_base);
    ports.check_free()?;
    logs::write_on().map_err(|error| failed("no thread for the log", error))?;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| failed("no reactor", error))?;
    runtime.block_on(async {
        let mut stops = Stops::new().map_err(|error| failed("no signals", error))?;
        // From here on a signal waits until it is looked at: the children are stopped then, and the
        // directory with the key is removed.
        let dir = prepare().map_err(|error| failed("a private directory cannot be made", error))?;
        let start = |name, addresses| Child::start(name, dir.path(), &addresses, &node_flags);
        let mut primary = start("primary", ports.of_primary())?;
        let mut failover = match start("failover", ports.of_failover()) {
            Ok(failover) => failover,
            Err(error) => {
                primary.kill();
                primary.stop().await;
                return Err(error);
            }
        };
        let outcome = watch(&ports, &mut primary, &mut failover, &mut stops).await;
        end(&mut primary, &mut failover).await;
        outcome
    })
}

/// Ends both nodes at once, so that neither waits for the other to return. One whose partner has
/// ended before would wait in vain.
async fn end(primary: &mut Child, failover: &mut Child) {
    if primary.is_running() && failover.is_running() {
        primary.ask_to_stop();
        failover.ask_to_stop();
    } else {
        primary.kill();
        failover.kill();
    }
    primary.stop().await;
    failover.stop().await;
}

/// The private directory with the two files and the key.
fn prepare() -> io::Result<Folder> {
    let parent = env::temp_dir();
    for path in folder::remove_abandoned(&parent) {
        let path = path.display();
        logs::line(&format!(
            "pair     | removed {path}, which a killed pair had left with its key"
        ));
    }
    let dir = Folder::new(&parent)?;
    fs::write(dir.path().join("primary.toml"), PRIMARY)?;
    fs::write(dir.path().join("failover.toml"), FAILOVER)?;
    key::generate(&dir.path().join("pair.pem")).map_err(io::Error::other)?;
    Ok(dir)
}

/// Waits until both serve, tells the person, and waits for Ctrl-C. A node that ends later leaves
/// the other serving: that is what a pair is for.
async fn watch(
    ports: &Ports,
    primary: &mut Child,
    failover: &mut Child,
    stops: &mut Stops,
) -> Result<(), StartupError> {
    let overdue = Instant::now() + Duration::from_millis(PAIR_START_MS);
    let mut told = false;
    loop {
        let running = [primary.is_running(), failover.is_running()];
        if !told && running != [true; 2] {
            let text = "a node did not start; its last line says why";
            return Err(StartupError::system(text));
        }
        if running == [false; 2] {
            return Err(StartupError::system("both nodes have ended"));
        }
        if !told && is_open(ports.clients[0]) && is_open(ports.clients[1]) {
            told = true;
            tell(ports, primary, failover);
        }
        if !told && Instant::now() > overdue {
            return Err(StartupError::system("the nodes do not open their ports"));
        }
        tokio::select! {
            () = stops.any() => return Ok(()),
            () = sleep(LOOK) => {}
        }
    }
}

fn is_open(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LOOK).is_ok()
}

/// What is running and what to type.
fn tell(ports: &Ports, primary: &Child, failover: &Child) {
    let [one, two] = ports.clients;
    let (first, second) = (primary.id(), failover.id());
    let text = format!(
        "
A pair is running, and either node takes any command:
  primary   127.0.0.1:{one}  (process {first})
  failover  127.0.0.1:{two}  (process {second})

Type this into another bash. Write to the primary, read from the failover:
  (printf 'set abc 0 0 5\\r\\n12345\\r\\nquit\\r\\n' >&3; cat <&3) 3<>/dev/tcp/127.0.0.1/{one}
  (printf 'get abc\\r\\nquit\\r\\n' >&3; cat <&3) 3<>/dev/tcp/127.0.0.1/{two}
See the link:
  (printf 'stats replication\\r\\nquit\\r\\n' >&3; cat <&3) 3<>/dev/tcp/127.0.0.1/{two}
Kill the primary, and get abc from the failover once more:
  kill -9 {first}
Tomcat with memcached-session-manager:
  memcachedNodes=\"n1:127.0.0.1:{one},n2:127.0.0.1:{two}\"

Ctrl-C stops both.
"
    );
    // On a thread of its own: a stdout that blocks (Ctrl-S) must not keep the pair from watching
    // its nodes and from ending. A closed stdout takes nothing from the pair.
    let _ = thread::Builder::new()
        .name("tell".to_owned())
        .spawn(move || writeln!(io::stdout(), "{text}"));
}

fn failed(what: &str, error: io::Error) -> StartupError {
    StartupError::system(format!("{what}: {error}"))
}

/// The signals that stop a pair.
struct Stops([Signal; 3]);

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
