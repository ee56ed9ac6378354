//! The acceptor: one thread that accepts connections and dispatches them round-robin to the
//! workers.

use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{mpsc, watch};

use super::connection_slot::AcceptedConnection;
use super::listener::{self, Bound, Listener, ListenerOptions};
use super::stream::ClientSocket;
use crate::limits::{ACCEPT_PAUSE_MS, KEEPALIVE_INTERVAL_SECS, KEEPALIVE_SECS};
use crate::logs::Repeated;
use crate::node::Node;
use crate::node::connections::Endpoint;

/// The reply to a client over the connection limit, in memcached's words.
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

/// Dispatches sockets to workers.
struct Dispatcher {
    node: Arc<Node>,
    workers: Vec<mpsc::Sender<AcceptedConnection>>,
    next: usize,
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
    if gate.wait_for(|open| *open).await.is_err() {
        return Ok(());
    }
    let dispatcher = std::rc::Rc::new(std::cell::RefCell::new(Dispatcher {
        node,
        workers,
        next: 0,
        failing_since: None,
        failures: Repeated::new(),
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for socket in &bound {
        let listener = socket.open()?;
        listener.enter(&dispatcher.borrow().node);
        let options = socket.options();
        let dispatcher = std::rc::Rc::clone(&dispatcher);
        tasks.spawn_local(async move {
            loop {
                let accepted = listener.accept().await;
                let pause = dispatcher.borrow_mut().dispatch(accepted, options);
                if pause {
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        });
    }
    if let Some(path) = &dispatcher.borrow().node.config.client.port_file {
        listener::announce(path, &bound);
    }
    // Waits for the end of the gate.
    while gate.changed().await.is_ok() {}
    Ok(())
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
    fn enter(&self, node: &Node) {
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
        node.registry.enter(fd, address, None, now_boot_ms);
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
