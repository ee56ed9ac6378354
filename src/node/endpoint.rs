//! Addresses as `stats conns` and `watch connevents` show them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The address of either end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
    /// A client of a unix socket, whose path memcached does not show.
    Unnamed,
}

impl Endpoint {
    /// Whether the connection is TCP.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// The host and the port, as `watch` shows them.
    pub(crate) fn host_and_port(&self) -> (Option<IpAddr>, u16) {
        match self {
            Self::Tcp(address) => (Some(address.ip()), address.port()),
            Self::Unix(_) | Self::Unnamed => (None, 0),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(SocketAddr::V4(address)) => write!(f, "tcp:{address}"),
            Self::Tcp(SocketAddr::V6(address)) => {
                write!(f, "tcp6:[{}]:{}", address.ip(), address.port())
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Unnamed => f.write_str("?:<AF 0>"),
        }
    }
}
