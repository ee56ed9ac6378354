//! From a configuration to a running node, and back: the steps `main` tells in order.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

use crate::auth::Access;
use crate::config::startup_error::{EXIT_CONFIG, EXIT_USAGE, StartupError};
use crate::config::{Address, Config, Mode, check::check, read_file};
use crate::limits::VERSION_ANSWERED;
use crate::net::{Listeners, Server};
use crate::node::{Node, ReplicationStats};
use crate::protocol::text::reply;
use crate::reload::Reloads;
use crate::replication::change_queue::{ChangeReceiver, ChangeSender, change_queue};
use crate::replication::key::{self, PairKey};
use crate::replication::link::LinkConfig;
use crate::replication::runner::{
    self, PartnerAddresses, ReplicationSetup, ReplicationStatus, ReplicationThread,
};
use crate::replication::startup::StartupRules;
use crate::replication::tls::LinkTls;
use crate::store::{ClassPlan, Clock, Store, StoreConfig};
use crate::tls::ClientTls;

/// `memtwin keygen FILE`; what to tell the person.
///
/// # Errors
/// The file exists or cannot be written.
pub fn keygen(file: &Path) -> Result<String, StartupError> {
    key::generate(file).map_err(|error| StartupError::new(EXIT_USAGE, error))?;
    Ok(format!(
        "{}: a new key, readable by you alone. Copy it to both nodes; replication.key_file \
         (--key-file) names it.",
        file.display()
    ))
}

/// `memtwin check-config FILE`; what to tell the person.
///
/// # Errors
/// What is wrong, with line and hint.
pub fn check_config(file: &Path) -> Result<String, StartupError> {
    let read = read_file(file)?;
    let config = check(read.config.clone(), Some(&read), &[])?;
    Secrets::load(&config).map_err(|error| StartupError::new(EXIT_CONFIG, error.text))?;
    let pair = match (&config.replication.failover, config.node.side) {
        (Some(failover), Some(side)) => format!("side {side} of a pair with {failover}"),
        _ => "a node that is alone".to_owned(),
    };
    Ok(format!("{}: good, {pair}", file.display()))
}

/// What a node must read while the process may still be root.
pub struct Secrets {
    key: Option<PairKey>,
    access: Access,
    tls: Option<ClientTls>,
}

impl Secrets {
    /// Reads all of it.
    ///
    /// # Errors
    /// Where, what and the hint.
    pub fn load(config: &Config) -> Result<Self, StartupError> {
        let path = config.replication.key_file.as_deref();
        let key = path.filter(|_| config.is_pair()).map(PairKey::load);
        let no_key =
            |error| StartupError::new(EXIT_CONFIG, format!("replication.key_file: {error}"));
        let key = key.transpose().map_err(no_key)?;
        let access = Access::load(config)?;
        let tls = config.tls.enabled.then(|| ClientTls::load(&config.tls));
        let tls = tls.transpose();
        let tls = tls.map_err(|error| StartupError::new(EXIT_USAGE, error))?;
        Ok(Self { key, access, tls })
    }
}

/// Every socket of a node, bound and not open yet.
#[derive(Debug)]
pub struct Sockets {
    clients: Listeners,
    partner: Vec<TcpListener>,
}

/// Binds them.
///
/// # Errors
/// The first address that cannot be bound.
pub fn bind(config: &Config) -> Result<Sockets, StartupError> {
    // First: a unix socket is taken over from whoever has it, which a start that fails must not do.
    let partner = match &config.replication.listen {
        Some(address) if config.is_pair() => runner::bind(address).map_err(|error| {
            let text = format!("replication.listen: cannot listen on {address}: {error}");
            StartupError::system(text)
        })?,
        _ => Vec::new(),
    };
    let clients = Listeners::bind(config)
        .map_err(|error| StartupError::system(format!("failed to listen: {error}")))?;
    Ok(Sockets { clients, partner })
}

/// Says who starts, and where it can be reached.
pub fn banner(config: &Config, sockets: &Sockets) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        answers_as = VERSION_ANSWERED,
        pid = process::id(),
        memory_bytes = config.memory.limit_bytes,
        threads = config.client.threads,
        "memtwin starts"
    );
    for (option, reason) in &config.tuning.without_effect {
        tracing::info!(option, reason, "accepted, and without effect");
    }
    for address in sockets.clients.addresses() {
        tracing::info!(address, "for clients");
    }
    for listener in &sockets.partner {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "for the partner");
        }
    }
    match (&config.replication.failover, config.node.side) {
        (Some(failover), Some(side)) => {
            tracing::info!(%failover, side, node_id = config.node.id, "one of a pair");
        }
        _ => tracing::info!("without a failover: what this node loses is lost"),
    }
}

/// A thread, a reactor or another thing that the system does not give.
pub fn refused(error: io::Error) -> StartupError {
    let text = format!("the system refuses what a node needs: {error}");
    StartupError::system(text)
}

/// A node at work.
pub struct Running {
    server: Server,
    link: PortGate,
    reloads: Reloads,
}

/// Who opens the client port.
enum PortGate {
    Pair(ReplicationThread),
    Alone(watch::Sender<bool>),
}

impl Running {
    /// Starts every thread.
    ///
    /// # Errors
    /// The system refuses a thread, or the key cannot be used.
    pub fn start(config: Config, secrets: Secrets, sockets: Sockets) -> Result<Self, StartupError> {
        let Secrets { key, access, tls } = secrets;
        let mut store = Store::new(&store_config(&config, key.as_ref())?);
        if !config.client.cas {
            store = store.without_cas();
        }
        let store = Arc::new(store);
        let status = Arc::new(ReplicationStatus::new(
            config.node.id.clone(),
            config.node.side.filter(|_| config.is_pair()),
            config.replication.mode,
        ));
        let waiting_workers = match config.replication.mode {
            Mode::SemiSync if config.is_pair() => config.client.threads,
            _ => 0,
        };
        let (sender, receiver) = change_queue(config.memory.limit_bytes as u64, waiting_workers);
        let sender = config.is_pair().then_some(sender);
        let stats = replication_stats(Arc::clone(&status), Arc::clone(&store), sender.clone());
        let mut reloads = Reloads::default();
        access.add_to(&mut reloads);
        let mut node = Node::new(config.clone(), Arc::clone(&store), sender, stats);
        node.access = access;
        node.tls = tls.map(Arc::new);
        if let Some(tls) = &node.tls {
            reloads.add(Arc::clone(tls) as _);
        }
        let node = Arc::new(node);
        let (gate, open) = watch::channel(key.is_none());
        let server = Server::start(&node, sockets.clients, open).map_err(refused)?;
        let link = match key {
            Some(key) => {
                let shared = (store, receiver, gate, status);
                let setup = replication_setup(config, &key, sockets.partner, shared)?;
                PortGate::Pair(ReplicationThread::spawn(setup).map_err(refused)?)
            }
            None => PortGate::Alone(gate),
        };
        Ok(Self {
            server,
            link,
            reloads,
        })
    }

    /// What it reads again on SIGHUP.
    pub fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// Stops: closes the client port and its connections, and gives the partner what it lacks.
    ///
    /// # Errors
    /// The node stops because its client port could not be opened.
    pub fn stop(self) -> Result<(), StartupError> {
        let served = match self.link {
            PortGate::Alone(gate) => {
                drop(gate);
                self.server.stop()
            }
            PortGate::Pair(replication) => {
                replication.close_clients();
                let served = self.server.stop();
                replication.drain();
                served
            }
        };
        served.map_err(|error| StartupError::system(format!("failed to listen: {error}")))
    }
}

fn store_config(config: &Config, key: Option<&PairKey>) -> Result<StoreConfig, StartupError> {
    let hash_secret = match key {
        Some(key) => key.hash_secret(),
        None => random_secret()?,
    };
    let slabs = &config.tuning.slabs;
    Ok(StoreConfig {
        limit_bytes: config.memory.limit_bytes as u64,
        item_bytes_max: config.memory.max_item_bytes,
        evicting: config.memory.evictions,
        hash_secret,
        side: config.node.side.unwrap_or(0),
        replicated: key.is_some(),
        classes: ClassPlan {
            growth_factor: slabs.growth_factor,
            min_bytes: slabs.min_size_bytes,
            chunk_max_bytes: slabs.chunk_max_bytes,
            given_bytes: slabs.sizes_bytes.clone(),
            tracks_sizes: config.client.track_sizes,
        },
    })
}

fn random_secret() -> Result<[u8; 16], StartupError> {
    let mut secret = [0; 16];
    SystemRandom::new()
        .fill(&mut secret)
        .map_err(|_| StartupError::system("the system gives no random bytes"))?;
    Ok(secret)
}

fn replication_setup(
    config: Config,
    key: &PairKey,
    listeners: Vec<TcpListener>,
    (store, changes, gate, status): (
        Arc<Store>,
        ChangeReceiver,
        watch::Sender<bool>,
        Arc<ReplicationStatus>,
    ),
) -> Result<ReplicationSetup, StartupError> {
    let unusable = |what: String| StartupError::new(EXIT_CONFIG, what);
    let tls = LinkTls::new(key)
        .map_err(|error| unusable(format!("replication.key_file: cannot be used: {error}")))?;
    let policy = format!("{} key={}", config.policy(), key.name());
    let listen = config.replication.listen.as_ref().map(Address::to_string);
    let (Some(failover), Some(side)) = (config.replication.failover, config.node.side) else {
        let text = "a pair needs its failover and its side";
        return Err(unusable(text.to_owned()));
    };
    // Random: in a container the process id is the same each time, and the clock may be, too.
    let incarnation = RandomState::new().hash_one(process::id());
    store.hybrid_clock().begin_incarnation(incarnation);
    Ok(ReplicationSetup {
        link: LinkConfig {
            side,
            node_id: config.node.id,
            incarnation,
            policy,
            ack_timeout_ms: match config.replication.mode {
                Mode::SemiSync => Some(config.replication.ack_timeout.as_millis() as u64),
                Mode::Async => None,
            },
            listen_addr: listen.unwrap_or_default(),
            failover_addr: failover.to_string(),
        },
        partner: PartnerAddresses::of(failover),
        listeners,
        tls,
        startup: StartupRules {
            patience_ms: config
                .replication
                .start_alone_after
                .map(|patience| patience.as_millis() as u64),
            opens_at_hello: true,
        },
        store,
        changes,
        gate,
        status,
        drain_timeout: config.replication.drain_timeout,
    })
}

/// How `stats replication` is printed.
fn replication_stats(
    status: Arc<ReplicationStatus>,
    store: Arc<Store>,
    change_queue: Option<ChangeSender>,
) -> ReplicationStats {
    ReplicationStats(Box::new(move |out| {
        let print = |name: &str, value: &str| reply::stat(out, name, value);
        let now = Clock::new().now();
        runner::print_rows(&status, &store, change_queue.as_ref(), now, print);
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Started a second time by mistake, a node took over the unix socket of the first, failed for
    /// the partner's port, and left nobody able to reach either.
    #[test]
    fn a_start_that_fails_takes_no_socket_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let mut config = Config::default();
        config.client.socket = Some(path.clone());
        let first = bind(&config).unwrap();
        let inode = || fs::metadata(&path).map(|file| file.ino()).ok();
        let bound = inode();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        config.replication.listen = Some(Address::parse(&taken).unwrap());
        config.replication.failover = Some(Address::parse("127.0.0.1:1").unwrap());
        let error = bind(&config).unwrap_err();
        assert!(error.text.contains("replication.listen"), "{error}");
        let is_same = bound.is_some() && inode() == bound;
        assert!(is_same, "it took the socket over");
        drop(first);
        assert_eq!(inode(), None);
    }
}
