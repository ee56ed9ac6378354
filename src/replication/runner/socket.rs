//! The sockets between the nodes.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use crate::config::Address;
use crate::limits::{
    LINK_BACKLOG, LINK_KEEPALIVE_INTERVAL_SECS, LINK_KEEPALIVE_SECS, UNACKNOWLEDGED_SECS_MAX,
};

/// Binds the replication addresses of this node.
///
/// # Errors
/// None of them can be bound; the error of the last one.
pub fn bind(address: &Address) -> io::Result<Vec<TcpListener>> {
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

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
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
