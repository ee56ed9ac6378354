//! Listening sockets. They are bound at the start, so that an occupied port is reported at once,
//! opened when the node serves, and closed when it goes back to waiting.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::socket_file::SocketFile;
use crate::config::{Config, Listen, ListenTls, Protocol};
use crate::tls::TlsPolicy;

/// A socket that is bound and does not listen: clients are refused instead of waiting.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The file of a unix socket, removed before the socket is closed.
    file: Option<SocketFile>,
    socket: Socket,
    backlog: i32,
    options: ListenerOptions,
}

/// The protocol and TLS policy of a listening address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerOptions {
    pub(crate) protocol: Protocol,
    /// `None`: no TLS.
    pub(crate) tls: Option<TlsPolicy>,
}

impl ListenerOptions {
    /// The options of an address, which may override those of the node.
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
pub(crate) struct BindError {
    /// The address or path.
    pub address: String,
    /// The system's error.
    pub source: io::Error,
}

/// A socket that listens.
pub(crate) enum Listener {
    Tcp(TcpListener),
    /// A unix socket with its path.
    Unix(UnixListener, PathBuf),
}

/// Binds all configured addresses. Of the addresses of one name at least one must be bound.
pub(crate) fn bind(config: &Config) -> Result<Vec<Bound>, BindError> {
    let backlog = config.client.backlog;
    if let Some(path) = &config.client.socket {
        let options = ListenerOptions {
            protocol: config.client.protocol,
            tls: None,
        };
        let bound = bind_unix(path, config.client.socket_mode, backlog, options);
        let address = path.display().to_string();
        let bound = bound.map_err(|source| BindError { address, source })?;
        return Ok(vec![bound]);
    }
    let mut all = Vec::new();
    for (group, listen) in config.client.addresses.iter().zip(&config.client.listen) {
        let options = ListenerOptions::new(config, listen);
        let mut failed = None;
        let before = all.len();
        for address in group {
            let bound = refuse_twice(*address, &all[..before])
                .and_then(|()| bind_tcp(*address, backlog, options));
            let address = address.to_string();
            match bound.map_err(|source| BindError { address, source }) {
                Ok(bound) => all.push(bound),
                Err(error) => failed = Some(error),
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

/// Refuses an address that was bound before. The system reports overlapping addresses only when the
/// first socket listens, which is too late for a start that must fail.
fn refuse_twice(address: SocketAddr, earlier: &[Bound]) -> io::Result<()> {
    let overlaps = |bound: &Bound| {
        tcp_address(&bound.socket).is_some_and(|other| {
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

/// `-o sock_cookie_id`: marks the sockets for firewalls.
fn mark(all: &[Bound], mark: u32) {
    for bound in all.iter().filter(|_| mark != 0) {
        if let Err(error) = bound.socket.set_mark(mark) {
            tracing::warn!(%error, "-o sock_cookie_id has no effect; it needs CAP_NET_ADMIN");
        }
    }
}

/// Writes the ports to a file for test programs, as memcached does: a line for each. The file is
/// written under another name and renamed.
pub(crate) fn announce(path: &Path, all: &[Bound]) {
    let addresses = all.iter().filter_map(|bound| tcp_address(&bound.socket));
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
    let mut socket = bind_socket(address)?;
    if address.port() == 0
        && let Some(chosen) = socket.local_addr()?.as_socket()
    {
        // A socket keeps its port while it does not listen only if it was bound to that number.
        socket = bind_socket(chosen)?;
    }
    Ok(Bound {
        file: None,
        socket,
        backlog,
        options,
    })
}

fn bind_socket(address: SocketAddr) -> io::Result<Socket> {
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
    Ok(socket)
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

fn tcp_address(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}

impl Bound {
    /// The address, as logs show it.
    pub(crate) fn address(&self) -> String {
        match &self.file {
            Some(file) => file.path.display().to_string(),
            None => tcp_address(&self.socket)
                .map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
        }
    }

    /// Its options.
    pub(crate) fn options(&self) -> ListenerOptions {
        self.options
    }

    /// Whether it is a unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        self.file.is_some()
    }

    /// Stops listening and stays bound: connections that wait are reset, new ones are refused. A
    /// unix socket could not listen again, so it is left as it is.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn close(&self) -> io::Result<()> {
        if self.is_unix() {
            return Ok(());
        }
        // What Linux does with the receiving half of a listening socket.
        self.socket.shutdown(Shutdown::Read)
    }

    /// Starts to listen, on the reactor of the calling thread.
    pub(crate) fn open(&self) -> io::Result<Listener> {
        self.socket.listen(self.backlog)?;
        let socket = self.socket.try_clone()?;
        Ok(match &self.file {
            Some(file) => Listener::Unix(UnixListener::from_std(socket.into())?, file.path.clone()),
            None => Listener::Tcp(TcpListener::from_std(socket.into())?),
        })
    }
}
