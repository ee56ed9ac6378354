//! How the two nodes meet: side 0 dials ([`dial`](super::dial)), side 1 is dialled
//! ([`accept`](super::accept)), and both prove the pair's key.
//!
//! Side 0 listens too, where it is told an address: only a node that wrongly is side 0 as well
//! comes there, and a refused link says what an empty line would not.

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
use crate::replication::tls::LinkTls;

const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// Written bytes that nobody acknowledges for so long end the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
const BACKLOG: i32 = 64;

/// What came of an attempt to connect.
pub(super) enum ConnectOutcome {
    /// The partner, which this node has dialled.
    Dialled(Box<Dialled>),
    /// A node that has dialled this one and proved the key.
    Accepted(Box<AcceptedLink>),
    /// A node at the partner's address that is not the partner; why.
    Refused(String),
    /// No node of memtwin was reached; why.
    Absent(Absence),
}

/// A connection to the partner that this node has made.
pub(super) struct Dialled {
    pub(super) stream: LinkStream,
    /// Lives as long as the link: the dialler waits for its end before it dials again.
    pub(super) link_lives: oneshot::Sender<()>,
}

/// Why a dialled partner counts as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// Its name has no address, which the log has already.
    Unresolved(String),
    /// Nothing answers, or the connection ends before the key is proved.
    Unreachable(String),
    /// Something answers that does not speak the link's protocol.
    OtherProtocol(String),
}

/// The tasks that look for the partner.
pub(super) struct Connectors {
    tasks: Vec<AbortHandle>,
}

/// Binds the addresses on which side 1 is dialled.
///
/// # Errors
/// None of them can be bound; what the system said of the last.
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
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Connectors {
    /// Starts to look for the partner; what is found goes to `found`.
    pub(super) fn start(
        dials: bool,
        partner: PartnerAddresses,
        listeners: Vec<net::TcpListener>,
        tls: LinkTls,
        found: mpsc::Sender<ConnectOutcome>,
        status: Arc<ReplicationStatus>,
    ) -> io::Result<Self> {
        // Before the first refused node asks whether it is the partner.
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

    /// Whether both are of one kind, whatever their words.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Sets what every connection between the nodes needs.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}
