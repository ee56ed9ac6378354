//! Listening sockets: bound at the start, so that a taken port is told at once; opened when the
//! node serves.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::socket_file::SocketFile;
use crate::config::{Config, Listen, ListenTls, Protocol};
use crate::tls::TlsPolicy;

/// A socket that is bound but does not listen: clients are refused, not kept waiting.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Of a unix socket; it goes before the socket does.
    file: Option<SocketFile>,
    socket: Socket,
    backlog: i32,
    options: ListenerOptions,
}

/// What is spoken at a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerOptions {
    pub(crate) protocol: Protocol,
    /// `None`: whatever is said is said openly.
    pub(crate) tls: Option<TlsPolicy>,
}

impl ListenerOptions {
    /// Of an address, which may say what is to be different there.
    fn new(config: &Config, listen: &Listen) -> Self {
        let tls = match listen.tls {
            None => Some(TlsPolicy::Usual),
            Some(ListenTls::Plain) => None,
            Some(ListenTls::Mutual) => Some(TlsPolicy::Mutual),
            Some(ListenTls::Basic) => Some(TlsPolicy::Basic),
        };
        Self {
            protocol: listen.protocol.unwrap_or(config.client.protocol),
            tls: tls.filter(|_| config.tls.enabled),
        }
    }
}

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address or path.
    pub address: String,
    /// What the system said.
    pub source: io::Error,
}

/// A socket that accepts.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    /// With its path.
    Unix(UnixListener, PathBuf),
}

/// Binds everything the configuration names. Of a name's addresses one must be bound at least.
pub(crate) fn bind(config: &Config) -> Result<Vec<Bound>, BindError> {
    let backlog = config.client.backlog;
    if let Some(path) = &config.client.socket {
        let options = ListenerOptions {
            protocol: config.client.protocol,
            tls: None,
        };
        let bound = bind_unix(path, config.client.socket_mode, backlog, options);
        return bound.map(|bound| vec![bound]).map_err(|source| BindError {
            address: path.display().to_string(),
            source,
        });
    }
    let mut all = Vec::new();
    for (group, listen) in config.client.addresses.iter().zip(&config.client.listen) {
        let options = ListenerOptions::new(config, listen);
        let mut failed = None;
        let before = all.len();
        for address in group {
            let bound = refuse_twice(*address, &all[..before])
                .and_then(|()| bind_tcp(*address, backlog, options));
            match bound {
                Ok(bound) => all.push(bound),
                Err(source) => {
                    failed = Some(BindError {
                        address: address.to_string(),
                        source,
                    });
                }
            }
        }
        if let Some(error) = failed
            && (all.len() == before || error.source.kind() == io::ErrorKind::AddrInUse)
        {
            return Err(error);
        }
    }
    mark(&all, config.tuning.socket_mark);
    Ok(all)
}

/// The system lets several sockets have one address until the first of them listens, which is too
/// late for a node to say that its addresses overlap.
fn refuse_twice(address: SocketAddr, earlier: &[Bound]) -> io::Result<()> {
    let overlaps = |bound: &Bound| {
        let other = bound.socket.local_addr().ok().and_then(|a| a.as_socket());
        other.is_some_and(|other| {
            address.port() == other.port()
                && address.is_ipv4() == other.is_ipv4()
                && (address.ip() == other.ip()
                    || address.ip().is_unspecified()
                    || other.ip().is_unspecified())
        })
    };
    if earlier.iter().any(overlaps) {
        let words = "an address before it in the list has it already: name it once";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, words));
    }
    Ok(())
}

/// `-o sock_cookie_id`: firewalls know the sockets by it.
fn mark(all: &[Bound], mark: u32) {
    for bound in all.iter().filter(|_| mark != 0) {
        if let Err(error) = bound.socket.set_mark(mark) {
            tracing::warn!(%error, "-o sock_cookie_id has no effect; it needs CAP_NET_ADMIN");
        }
    }
}

/// Tells test programs the ports, as memcached does: a line for each, under another name first.
pub(crate) fn announce(path: &Path, all: &[Bound]) {
    let addresses = all
        .iter()
        .filter_map(|bound| bound.socket.local_addr().ok());
    let addresses = addresses.filter_map(|address| address.as_socket());
    let lines: String = addresses
        .map(|address| {
            let family = if address.is_ipv4() { "INET" } else { "INET6" };
            format!("TCP {family}: {}\n", address.port())
        })
        .collect();
    if lines.is_empty() {
        return;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lck");
    if let Err(error) = std::fs::write(&beside, lines).and_then(|()| std::fs::rename(&beside, path))
    {
        let file = path.display();
        tracing::warn!(%error, %file, "MEMCACHED_PORT_FILENAME: cannot be written");
    }
}

fn bind_tcp(address: SocketAddr, backlog: i32, options: ListenerOptions) -> io::Result<Bound> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(Bound {
        file: None,
        socket,
        backlog,
        options,
    })
}

fn bind_unix(path: &Path, mode: u32, backlog: i32, options: ListenerOptions) -> io::Result<Bound> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let file = SocketFile::bind(&socket, path, mode)?;
    Ok(Bound {
        file: Some(file),
        socket,
        backlog,
        options,
    })
}

impl Bound {
    /// The address, as logs show it.
    pub(crate) fn address(&self) -> String {
        match &self.file {
            Some(file) => file.path.display().to_string(),
            None => self
                .socket
                .local_addr()
                .ok()
                .and_then(|address| address.as_socket())
                .map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
        }
    }

    /// What is spoken there.
    pub(crate) fn options(&self) -> ListenerOptions {
        self.options
    }

    /// Lets clients in; on the reactor of the calling thread.
    pub(crate) fn open(&self) -> io::Result<Listener> {
        self.socket.listen(self.backlog)?;
        let socket = self.socket.try_clone()?;
        Ok(match &self.file {
            Some(file) => Listener::Unix(UnixListener::from_std(socket.into())?, file.path.clone()),
            None => Listener::Tcp(TcpListener::from_std(socket.into())?),
        })
    }
}
