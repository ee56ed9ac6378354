//! The acceptor: one thread that accepts connections and dispatches them round-robin to the
//! workers.
//!
//! The client port opens, closes and opens again as the gate says. A closed TCP port refuses
//! connections and keeps its address; a closed unix socket accepts and hangs up.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::connection_slot::AcceptedConnection;
use super::listener::{self, Bound, Listener, ListenerOptions};
use super::stream::ClientSocket;
use crate::limits::{ACCEPT_PAUSE_MS, KEEPALIVE_INTERVAL_SECS, KEEPALIVE_SECS};
use crate::logs::Repeated;
use crate::node::Node;
use crate::node::connections::{Endpoint, Entry};

/// The reply to a client over the connection limit, in memcached's words.
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

/// Dispatches sockets to workers.
struct Dispatcher {
    node: Arc<Node>,
    workers: Vec<mpsc::Sender<AcceptedConnection>>,
    next: usize,
    /// Whether the port is open.
    is_open: bool,
    /// The time since which accepting has failed.
    failing_since: Option<Instant>,
    failures: Repeated,
}

/// A client's socket and its two addresses.
type Client = (ClientSocket, Endpoint, Endpoint);

/// Accepts while the gate is open. Ends when the node stops, which drops the gate's sender.
pub(crate) async fn accept(
    node: Arc<Node>,
    workers: Vec<mpsc::Sender<AcceptedConnection>>,
    bound: Vec<Bound>,
    mut gate: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut port = ClientPort::new(node, workers, bound);
    while gate.wait_for(|is_open| *is_open).await.is_ok() {
        port.open()?;
        if gate.wait_for(|is_open| !*is_open).await.is_err() {
            break;
        }
        port.close().await;
    }
    Ok(())
}

/// The listening sockets of clients, open or closed.
struct ClientPort {
    node: Arc<Node>,
    bound: Vec<Bound>,
    dispatcher: Rc<RefCell<Dispatcher>>,
    /// The tasks of TCP listeners; they end when the port closes.
    tcp: JoinSet<()>,
    /// Those of unix sockets; they run from the first opening on.
    unix: JoinSet<()>,
    /// The open listeners in `stats conns`.
    entries: Vec<Arc<Entry>>,
    was_open: bool,
}

impl ClientPort {
    fn new(
        node: Arc<Node>,
        workers: Vec<mpsc::Sender<AcceptedConnection>>,
        bound: Vec<Bound>,
    ) -> Self {
        let dispatcher = Dispatcher {
            node: Arc::clone(&node),
            workers,
            next: 0,
            is_open: false,
            failing_since: None,
            failures: Repeated::new(),
        };
        Self {
            node,
            bound,
            dispatcher: Rc::new(RefCell::new(dispatcher)),
            tcp: JoinSet::new(),
            unix: JoinSet::new(),
            entries: Vec::new(),
            was_open: false,
        }
    }

    fn open(&mut self) -> io::Result<()> {
        self.dispatcher.borrow_mut().is_open = true;
        for socket in &self.bound {
            // A unix socket that has listened once cannot listen again: it stays open.
            if self.was_open && socket.is_unix() {
                continue;
            }
            let listener = socket.open()?;
            let entry = listener.enter(&self.node);
            let tasks = if socket.is_unix() {
                &mut self.unix
            } else {
                self.entries.push(entry);
                &mut self.tcp
            };
            let dispatcher = Rc::clone(&self.dispatcher);
            tasks.spawn_local(listen(listener, dispatcher, socket.options()));
        }
        if let Some(path) = &self.node.config.client.port_file {
            listener::announce(path, &self.bound);
        }
        self.was_open = true;
        Ok(())
    }

    /// Refuses new clients and disconnects those there are.
    async fn close(&mut self) {
        self.dispatcher.borrow_mut().is_open = false;
        // Drops the listeners.
        self.tcp.shutdown().await;
        for entry in self.entries.drain(..) {
            self.node.registry.leave(&entry);
        }
        for socket in &self.bound {
            if let Err(error) = socket.close() {
                let address = socket.address();
                tracing::warn!(%error, address, "the client port cannot be closed");
            }
        }
        let clients = self.node.registry.close_clients();
        tracing::info!(clients, "the client port is closed");
    }
}

/// Accepts clients for ever.
async fn listen(listener: Listener, dispatcher: Rc<RefCell<Dispatcher>>, options: ListenerOptions) {
    loop {
        let accepted = listener.accept().await;
        let pause = dispatcher.borrow_mut().dispatch(accepted, options);
        if pause {
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Client> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let stream = stream.into_std()?;
                let local = stream.local_addr().unwrap_or(peer);
                let socket = ClientSocket::Tcp(stream);
                (socket, Endpoint::Tcp(peer), Endpoint::Tcp(local))
            }
            Self::Unix(listener, path) => {
                let stream = listener.accept().await?.0.into_std()?;
                let local = Endpoint::Unix(path.clone());
                (ClientSocket::Unix(stream), Endpoint::Unnamed, local)
            }
        })
    }

    /// Registers the listener, so that `stats conns` shows it.
    fn enter(&self, node: &Node) -> Arc<Entry> {
        let (fd, address) = match self {
            Self::Tcp(listener) => {
                let address = listener
                    .local_addr()
                    .map_or(Endpoint::Unnamed, Endpoint::Tcp);
                (listener.as_raw_fd(), address)
            }
            Self::Unix(listener, path) => (listener.as_raw_fd(), Endpoint::Unix(path.clone())),
        };
        let now_boot_ms = node.clock.now().boot_ms;
        node.registry.enter(fd, address, None, now_boot_ms)
    }
}

impl Dispatcher {
    /// Sends a socket to the next worker. True if accepting should pause because no descriptor is
    /// left.
    fn dispatch(&mut self, accepted: io::Result<Client>, options: ListenerOptions) -> bool {
        let (socket, peer, local) = match accepted {
            Ok(client) => client,
            Err(error) => {
                self.note_failure(&error);
                return true;
            }
        };
        self.note_success();
        if !self.is_open {
            // Closes it.
            return false;
        }
        let counters = &self.node.counters;
        if counters.curr_connections.get() >= self.node.config.client.connections_max as u64 {
            counters.rejected_connections.count_shared();
            refuse(socket);
            return false;
        }
        prepare(&socket);
        let accepted = AcceptedConnection::new(&self.node, socket, peer, local, options);
        self.next = (self.next + 1) % self.workers.len();
        if let Err(refused) = self.workers[self.next].try_send(accepted) {
            counters.rejected_connections.count_shared();
            refuse(refused.into_inner().socket);
        }
        false
    }

    fn note_failure(&mut self, error: &io::Error) {
        let now = Instant::now();
        if let Some(suppressed) = self.failures.log_now(now) {
            tracing::warn!(
                %error,
                suppressed,
                "accepting fails; raise the limit of files or lower -c"
            );
        }
        if self.failing_since.is_some() {
            return;
        }
        self.failing_since = Some(now);
        let counters = &self.node.counters;
        counters.listen_disabled.count_shared();
        counters.listen_disabled_num.count_shared();
    }

    fn note_success(&mut self) {
        let Some(since) = self.failing_since.take() else {
            return;
        };
        if let Some(suppressed) = self.failures.resolved() {
            tracing::info!(suppressed, "accepting works again");
        }
        let counters = &self.node.counters;
        counters.listen_disabled.uncount_shared();
        let took_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        counters.time_in_listen_disabled_us.add(took_us);
    }
}

/// Sets socket options. A connection works without them, so errors are ignored.
fn prepare(socket: &ClientSocket) {
    if let ClientSocket::Tcp(stream) = socket {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(KEEPALIVE_SECS))
            .with_interval(Duration::from_secs(KEEPALIVE_INTERVAL_SECS));
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

/// Sends the reason and closes. A new socket takes a line without blocking.
fn refuse(socket: ClientSocket) {
    let _ = match socket {
        ClientSocket::Tcp(mut stream) => stream.write(TOO_MANY),
        ClientSocket::Unix(mut stream) => stream.write(TOO_MANY),
    };
}
