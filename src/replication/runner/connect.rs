//! How the two nodes connect: side 0 dials ([`dial`](super::dial)), side 1 accepts
//! ([`accept`](super::accept)), and both prove that they hold the pair's key.
//!
//! Side 0 listens as well if it has a replication address. Only a node that is wrongly configured
//! as side 0, too, connects there, and it gets a refusal with the reason.

use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::accept::LinkAcceptor;
use super::accepted_link::AcceptedLink;
use super::addresses::PartnerAddresses;
use super::authenticate::LinkStream;
use super::dial::Dialler;
use super::status::ReplicationStatus;
use crate::config::Address;
use crate::limits::{
    LINK_BACKLOG, LINK_KEEPALIVE_INTERVAL_SECS, LINK_KEEPALIVE_SECS, UNACKNOWLEDGED_SECS_MAX,
};
use crate::replication::tls::LinkTls;

/// The result of an attempt to connect.
pub(super) enum ConnectOutcome {
    /// This node dialled its partner.
    Dialled(Box<Dialled>),
    /// A node that holds the key dialled this one.
    Accepted(Box<AcceptedLink>),
    /// A memtwin node on the partner's host does not hold the key; why.
    Refused(String),
    /// No memtwin node was reached; why.
    Absent(Absence),
}

/// A connection to the partner that this node has made.
pub(super) struct Dialled {
    pub(super) stream: LinkStream,
    /// Dropped when the link ends: the dialler waits for that before it dials again.
    pub(super) link_lives: oneshot::Sender<()>,
}

/// Why a dialled partner counts as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// Its name has no address. Logged by the lookup.
    Unresolved(String),
    /// Nothing answers, or the connection ends before the key is proved.
    Unreachable(String),
    /// Something answers that does not speak the link's protocol.
    OtherProtocol(String),
}

/// The tasks that dial and accept the partner.
pub(super) struct Connectors {
    tasks: Vec<AbortHandle>,
}

/// Binds the replication addresses of this node.
///
/// # Errors
/// None of them can be bound; the error of the last one.
pub fn bind(address: &Address) -> io::Result<Vec<net::TcpListener>> {
    let mut bound = Vec::new();
    let mut failure = None;
    for address in address.resolve()? {
        match bind_one(address) {
            Ok(listener) => bound.push(listener),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

fn bind_one(address: SocketAddr) -> io::Result<net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(LINK_BACKLOG)?;
    Ok(socket.into())
}

impl Connectors {
    /// Starts the tasks; their outcomes go to `found`.
    pub(super) fn start(
        dials: bool,
        partner: PartnerAddresses,
        listeners: Vec<net::TcpListener>,
        tls: LinkTls,
        found: mpsc::Sender<ConnectOutcome>,
        status: Arc<ReplicationStatus>,
    ) -> io::Result<Self> {
        // So that the partner's addresses are known when the first node is refused.
        partner.refresh();
        let mut tasks = Vec::new();
        let acceptor = Arc::new(LinkAcceptor {
            partner: partner.clone(),
            found: found.clone(),
            status,
            tls: tls.clone(),
            unauthenticated_links: Mutex::default(),
            failures: Mutex::default(),
        });
        for listener in listeners {
            let listener = TcpListener::from_std(listener)?;
            tasks.push(tokio::spawn(Arc::clone(&acceptor).run(listener)).abort_handle());
        }
        if dials {
            let dialler = Dialler {
                tls,
                partner,
                preferred: None,
                found,
            };
            tasks.push(tokio::spawn(dialler.run()).abort_handle());
        }
        Ok(Self { tasks })
    }
}

impl Drop for Connectors {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Absence {
    /// The reason in words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Unresolved(reason) | Self::Unreachable(reason) | Self::OtherProtocol(reason) => {
                reason
            }
        }
    }

    /// Whether both are of the same kind, whatever their reasons.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Sets the socket options of a connection between the nodes.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(LINK_KEEPALIVE_SECS))
        .with_interval(Duration::from_secs(LINK_KEEPALIVE_INTERVAL_SECS));
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(UNACKNOWLEDGED_SECS_MAX)))
}
