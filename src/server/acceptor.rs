//! The acceptor: one thread that deals connections round-robin to the workers.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{mpsc, watch};

use super::listen::{Bound, Listener};
use super::node::Node;
use super::stream::Accepted;
use crate::limits::{ACCEPT_PAUSE_MS, KEEPALIVE_INTERVAL_SECS, KEEPALIVE_SECS};

/// What a client over the limit is told, in memcached's words.
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

/// Deals sockets to workers.
#[derive(Debug)]
struct Dealer {
    node: Arc<Node>,
    workers: Vec<mpsc::Sender<Accepted>>,
    next: usize,
    /// Accepting fails at present, and the log says so already.
    failing: bool,
}

/// Accepts while the gate is open; ends when the node stops (the gate's sender is gone).
pub(super) async fn accept(
    node: Arc<Node>,
    workers: Vec<mpsc::Sender<Accepted>>,
    bound: Vec<Bound>,
    mut gate: watch::Receiver<bool>,
) -> io::Result<()> {
    if gate.wait_for(|open| *open).await.is_err() {
        return Ok(());
    }
    let dealer = std::rc::Rc::new(std::cell::RefCell::new(Dealer {
        node,
        workers,
        next: 0,
        failing: false,
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for socket in &bound {
        let listener = socket.open()?;
        let dealer = std::rc::Rc::clone(&dealer);
        tasks.spawn_local(async move {
            loop {
                let accepted = listener.accept().await;
                let pause = dealer.borrow_mut().deal(accepted);
                if pause {
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        });
    }
    // Only the gate ends this.
    while gate.changed().await.is_ok() {}
    Ok(())
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(listener) => Accepted::Tcp(listener.accept().await?.0.into_std()?),
            Self::Unix(listener) => Accepted::Unix(listener.accept().await?.0.into_std()?),
        })
    }
}

impl Dealer {
    /// Hands a socket to the next worker; true if accepting should pause (no descriptors left).
    fn deal(&mut self, accepted: io::Result<Accepted>) -> bool {
        let socket = match accepted {
            Ok(socket) => socket,
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "accepting fails; raise the limit of files or lower -c");
                }
                self.failing = true;
                return true;
            }
        };
        if std::mem::take(&mut self.failing) {
            tracing::info!("accepting works again");
        }
        let counters = &self.node.counters;
        if counters.curr_connections.get() >= self.node.config.client.connections_max as u64 {
            counters.rejected_connections.count_shared();
            refuse(socket);
            return false;
        }
        prepare(&socket);
        counters.curr_connections.count_shared();
        counters.total_connections.count_shared();
        self.next = (self.next + 1) % self.workers.len();
        if let Err(refused) = self.workers[self.next].try_send(socket) {
            counters.curr_connections.uncount_shared();
            counters.rejected_connections.count_shared();
            refuse(refused.into_inner());
        }
        false
    }
}

/// Options that cannot hurt if they fail.
fn prepare(socket: &Accepted) {
    if let Accepted::Tcp(stream) = socket {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(KEEPALIVE_SECS))
            .with_interval(Duration::from_secs(KEEPALIVE_INTERVAL_SECS));
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

/// Says why and closes. A fresh socket takes a line without waiting.
fn refuse(socket: Accepted) {
    let _ = match socket {
        Accepted::Tcp(mut stream) => stream.write(TOO_MANY),
        Accepted::Unix(mut stream) => stream.write(TOO_MANY),
    };
}
