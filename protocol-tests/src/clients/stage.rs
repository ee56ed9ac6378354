//! The servers of a scenario, and what a program may ask to be done to them.

use std::ffi::OsString;
use std::net::SocketAddr;

use anyhow::{Result, bail, ensure};

use crate::pair::{Pair, eventually};
use crate::passwords::{PASSWORD, SaslServer, USER};
use crate::proxy::Proxy;
use crate::server::{Address, Server};
use crate::subject::{Kind, Subject};

/// What a program is to do, and with which servers.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The program's first argument.
    pub name: &'static str,
    /// The servers.
    pub shape: Shape,
    /// Flags of both subjects.
    pub flags: &'static [&'static str],
    /// Fewer lines are no proof of anything.
    pub lines_min: usize,
}

/// Which servers, and which addresses a program is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One server behind a proxy that can be cut.
    One,
    /// One server that asks for a user and a password, behind a proxy that can be cut.
    Sasl,
    /// Two servers that know nothing of each other.
    Two,
    /// Two memtwins, each the other's failover; one memcached under both addresses.
    Pair,
}

/// Running servers.
#[derive(Debug)]
pub(super) enum Stage {
    Alone(Server, Proxy),
    Sasl(SaslServer, Proxy),
    Apart([Server; 2]),
    /// What memcached does where memtwin is a pair.
    Twice(Server),
    Pair(Box<Pair>),
}

impl Scenario {
    /// One server, `flags` for both subjects.
    #[must_use]
    pub fn alone(name: &'static str, flags: &'static [&'static str], lines_min: usize) -> Self {
        Self {
            name,
            shape: Shape::One,
            flags,
            lines_min,
        }
    }

    /// One server that asks for a user and a password.
    #[must_use]
    pub fn password(lines_min: usize) -> Self {
        Self {
            shape: Shape::Sasl,
            ..Self::alone("user", &[], lines_min)
        }
    }

    /// Keys spread over two servers.
    #[must_use]
    pub fn nodes(lines_min: usize) -> Self {
        Self {
            shape: Shape::Two,
            ..Self::alone("nodes", &[], lines_min)
        }
    }

    /// Written through one node, read through the other.
    #[must_use]
    pub fn pair(lines_min: usize) -> Self {
        Self {
            shape: Shape::Pair,
            ..Self::alone("pair", &[], lines_min)
        }
    }

    /// Starts the servers.
    pub(super) fn set(&self, subject: &Subject) -> Result<Stage> {
        let start = || Server::start(subject, self.flags);
        Ok(match (self.shape, subject.kind()) {
            (Shape::One, _) => {
                let server = start()?;
                let proxy = Proxy::start(port_of(&server)?)?;
                Stage::Alone(server, proxy)
            }
            (Shape::Sasl, _) => {
                let sasl = SaslServer::start(subject)?;
                let proxy = Proxy::start(port_of(&sasl.server)?)?;
                Stage::Sasl(sasl, proxy)
            }
            (Shape::Two, _) => Stage::Apart([start()?, start()?]),
            (Shape::Pair, Kind::Memtwin) => Stage::Pair(Box::new(Pair::start(self.flags)?)),
            (Shape::Pair, _) => Stage::Twice(start()?),
        })
    }
}

impl Stage {
    /// What the program is told to connect to.
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>> {
        Ok(match self {
            Self::Alone(_, proxy) | Self::Sasl(_, proxy) => {
                vec![proxy.address()]
            }
            Self::Apart(servers) => vec![port_of(&servers[0])?, port_of(&servers[1])?],
            Self::Twice(server) => vec![port_of(server)?; 2],
            Self::Pair(pair) => vec![port_of(pair.node(0)?)?, port_of(pair.node(1)?)?],
        })
    }

    /// What the program is told in its environment.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Sasl(..) => vec![
                ("SASL_USER", USER.into()),
                ("SASL_PASSWORD", PASSWORD.into()),
            ],
            _ => Vec::new(),
        }
    }

    /// Does what a program has asked for.
    pub(super) fn obey(&self, order: &str) -> Result<()> {
        match (order, self) {
            ("cut", Self::Alone(_, proxy) | Self::Sasl(_, proxy)) => {
                proxy.cut();
                proxy.heal();
                Ok(())
            }
            ("settle", Self::Twice(_)) => Ok(()),
            ("settle", Self::Pair(pair)) => settle(pair),
            _ => bail!("the program asked to {order:?}, which nobody can do here"),
        }
    }

    /// Every server is up and serves.
    pub(super) fn is_well(&self) -> Result<()> {
        match self {
            Self::Alone(server, _) | Self::Twice(server) => server.is_well(),
            Self::Sasl(sasl, _) => {
                ensure!(sasl.server.answers(), "it logged:\n{}", sasl.server.log());
                Ok(())
            }
            Self::Apart(servers) => servers.iter().try_for_each(Server::is_well),
            Self::Pair(pair) => (0..2).try_for_each(|side| {
                pair.node(side)?.is_well()?;
                // The other side is asked with the same key: not in the same millisecond.
                settle(pair)
            }),
        }
    }
}

/// Waits until both nodes have what the other answered before: a link keeps the order.
fn settle(pair: &Pair) -> Result<()> {
    for (here, there) in [(0, 1), (1, 0)] {
        let mark = fastrand::u64(..).to_string();
        let (mut here, mut there) = (pair.client(here)?, pair.client(there)?);
        eventually("both nodes are equal", || {
            // Anew each time: a flush on its way may be newer than the mark, and remove it.
            ensure!(here.set("settled", mark.as_bytes())? == "STORED");
            Ok(there.get("settled")?.as_deref() == Some(mark.as_bytes()))
        })?;
    }
    Ok(())
}

fn port_of(server: &Server) -> Result<SocketAddr> {
    match server.address() {
        Address::Tcp(address) | Address::Tls(address, _) => Ok(*address),
        Address::Unix(path) => bail!("{} is no port", path.display()),
    }
}
