//! How the two nodes meet: side 0 dials, side 1 is dialled, and both prove the pair's key.
//!
//! Side 0 listens too, where it is told an address: only a node that wrongly is side 0 as well
//! comes there, and a refused link says what an empty line would not.

use std::collections::VecDeque;
use std::io;
use std::net::{self, IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::metered::Metered;
use super::status::PeerStatus;
use crate::config::Address;
use crate::limits::{
    DIAL_EAGER_MS, DIAL_RETRY_MS, DIAL_RETRY_MS_MAX, PROOF_BYTES_MAX, PROOF_MS, UNPROVED_LINKS_MAX,
};
use crate::replication::tls::LinkTls;

/// Strangers are logged one by one up to here, then at every power of two.
const STRANGERS_LOGGED: u64 = 8;
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// Written bytes that nobody acknowledges for so long end the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
const BACKLOG: i32 = 64;

/// An encrypted stream whose other end has proved that it holds the key.
pub(super) type LinkStream = TlsStream<Metered>;

/// What came of an attempt, where something answered.
pub(super) enum Meeting {
    /// The partner.
    Proved(Box<LinkStream>),
    /// Something at the partner's address that is not the partner; why.
    Refused(String),
}

/// The tasks that look for the partner.
pub(super) struct Ways {
    again: Arc<Notify>,
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

impl Ways {
    /// Starts to look for the partner; what is found goes to `found`.
    pub(super) fn open(
        dials: bool,
        failover: Address,
        listeners: Vec<net::TcpListener>,
        tls: LinkTls,
        found: mpsc::Sender<Meeting>,
        status: Arc<PeerStatus>,
    ) -> io::Result<Self> {
        let again = Arc::new(Notify::new());
        let mut tasks = Vec::new();
        let door = Arc::new(Door {
            failover: failover.clone(),
            found: found.clone(),
            status,
            tls: tls.clone(),
        });
        for listener in listeners {
            let listener = TcpListener::from_std(listener)?;
            tasks.push(tokio::spawn(accept(listener, Arc::clone(&door))).abort_handle());
        }
        if dials {
            let connector = TlsConnector::from(tls.client);
            let dialler = Dialler {
                connector,
                failover,
                found,
                again: Arc::clone(&again),
            };
            tasks.push(tokio::spawn(dialler.run()).abort_handle());
        }
        Ok(Self { again, tasks })
    }

    /// The last link is over: dial again.
    pub(super) fn look_again(&self) {
        self.again.notify_one();
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Side 0.
struct Dialler {
    connector: TlsConnector,
    failover: Address,
    found: mpsc::Sender<Meeting>,
    again: Arc<Notify>,
}

impl Dialler {
    /// Dials for ever: every 100 ms at first, then with pauses of up to a second.
    async fn run(self) {
        let mut eager_until = Instant::now() + Duration::from_millis(DIAL_EAGER_MS);
        loop {
            let (meeting, linked) = match self.dial().await {
                Ok(stream) => (Some(Meeting::Proved(Box::new(stream))), true),
                Err(error) => (refusal(&error).map(Meeting::Refused), false),
            };
            if let Some(meeting) = meeting
                && self.found.send(meeting).await.is_err()
            {
                return;
            }
            let began = Instant::now();
            if linked {
                self.again.notified().await;
                // A link that held for a while earns quick attempts anew; one that ends at once,
                // because the nodes do not fit together, does not.
                if began.elapsed() > Duration::from_millis(DIAL_RETRY_MS_MAX) {
                    eager_until = Instant::now() + Duration::from_millis(DIAL_EAGER_MS);
                }
            }
            sleep(pause(Instant::now() < eager_until)).await;
        }
    }

    async fn dial(&self) -> io::Result<LinkStream> {
        within_proof(async {
            let mut failure = io::Error::other("the name stands for no address");
            for address in lookup_host(self.failover.to_string()).await? {
                match TcpStream::connect(address).await {
                    Ok(stream) => return self.prove(stream).await,
                    Err(error) => failure = error,
                }
            }
            Err(failure)
        })
        .await
    }

    async fn prove(&self, stream: TcpStream) -> io::Result<LinkStream> {
        prepare(&stream)?;
        let stream = Metered::new(stream, PROOF_BYTES_MAX);
        let mut proved = self.connector.connect(LinkTls::name(), stream).await?;
        proved.get_mut().0.lift();
        Ok(proved.into())
    }
}

/// Where a node is dialled.
struct Door {
    failover: Address,
    found: mpsc::Sender<Meeting>,
    status: Arc<PeerStatus>,
    tls: LinkTls,
}

/// Accepts for ever. Of those that have not proved the key, the oldest makes room for a ninth, so
/// that silent strangers cannot keep the partner out.
async fn accept(listener: TcpListener, door: Arc<Door>) {
    let mut unproved: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            // Out of descriptors, most likely: some will be free in a while.
            sleep(Duration::from_millis(DIAL_RETRY_MS)).await;
            continue;
        };
        unproved.retain(|task| !task.is_finished());
        if unproved.len() >= UNPROVED_LINKS_MAX
            && let Some(oldest) = unproved.pop_front()
        {
            oldest.abort();
            door.stranger(from, "made room for others before it had proved the key");
        }
        let door = Arc::clone(&door);
        unproved.push_back(tokio::spawn(door.admit(stream, from)).abort_handle());
    }
}

impl Door {
    async fn admit(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let meeting = match within_proof(self.prove(stream)).await {
            Ok(stream) => Meeting::Proved(Box::new(stream)),
            Err(error) => match refusal(&error) {
                Some(reason) if self.is_partners(from.ip()).await => Meeting::Refused(reason),
                _ => return self.stranger(from, &error.to_string()),
            },
        };
        // Fails only when the thread is ending.
        let _ = self.found.send(meeting).await;
    }

    async fn prove(&self, stream: TcpStream) -> io::Result<LinkStream> {
        prepare(&stream)?;
        let stream = Metered::new(stream, PROOF_BYTES_MAX);
        let mut proved = TlsAcceptor::from(Arc::clone(&self.tls.server))
            .accept(stream)
            .await?;
        proved.get_mut().0.lift();
        Ok(proved.into())
    }

    /// Whether this is the configured partner's host.
    async fn is_partners(&self, from: IpAddr) -> bool {
        match lookup_host(self.failover.to_string()).await {
            Ok(mut addresses) => {
                addresses.any(|address| address.ip().to_canonical() == from.to_canonical())
            }
            Err(_) => false,
        }
    }

    fn stranger(&self, from: SocketAddr, reason: &str) {
        let count = self.status.count_stranger();
        if count <= STRANGERS_LOGGED || count.is_power_of_two() {
            tracing::warn!(%from, reason, strangers = count,
                "stranger on the replication port; keep the port off public networks");
        }
    }
}

/// Why something that answered is not the partner; `None` if nothing really answered.
pub(super) fn refusal(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::AlertReceived(_)
        | rustls::Error::NoCertificatesPresented => {
            "key: the two nodes hold different keys; copy one key file to both".to_owned()
        }
        other => format!("key: what answers there is no memtwin link ({other})"),
    })
}

async fn within_proof<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(Duration::from_millis(PROOF_MS), work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no proof of the key in time",
        )),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

/// The time until the next attempt. The jitter keeps nodes that failed together from coming back
/// together.
fn pause(eager: bool) -> Duration {
    let mut random = [0; 2];
    let jitter = match SystemRandom::new().fill(&mut random) {
        Ok(()) if !eager => u64::from(u16::from_le_bytes(random)) % (DIAL_RETRY_MS_MAX / 2),
        _ => 0,
    };
    let base = if eager {
        DIAL_RETRY_MS
    } else {
        DIAL_RETRY_MS_MAX / 2
    };
    Duration::from_millis(base + jitter)
}
