//! Addresses as people write them: `host`, `host:port`, `::1`, `[::1]:port`, `*:port`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// memcached's port, for an address that names none.
pub(crate) const PORT_DEFAULT: u16 = 11211;

/// A host, by name or number, with or without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or number without brackets; `*` is every address of this host.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
}

/// Why a text is no address, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    #[error("`{0}` lacks the closing bracket: write [::1]:11211")]
    Bracket(String),
    #[error("`{0}` is no address: write host:port or [::1]:port")]
    Host(String),
    #[error("`{0}` in `{1}` is no port: write 1 to 65535")]
    Port(String, String),
}

impl Address {
    /// Every address of this host.
    #[must_use]
    pub fn any(port: Option<u16>) -> Self {
        Self {
            host: "*".to_owned(),
            port,
        }
    }

    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, tail) = rest
                .split_once(']')
                .ok_or_else(|| AddressError::Bracket(text.to_owned()))?;
            let port = tail.strip_prefix(':');
            (host, port.or_else(|| (!tail.is_empty()).then_some(tail)))
        } else {
            match text.split_once(':') {
                // More than one colon without brackets is an IPv6 number without a port.
                Some((_, tail)) if tail.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() || host.contains([' ', '/', '[', ']']) {
            return Err(AddressError::Host(text.to_owned()));
        }
        let port = port.map(|digits| {
            let no_port = |_| AddressError::Port(digits.to_owned(), text.to_owned());
            digits.parse().map_err(no_port)
        });
        Ok(Self {
            host: host.to_owned(),
            port: port.transpose()?,
        })
    }

    /// The socket addresses this stands for now; asks the resolver for a name.
    ///
    /// # Errors
    /// What the resolver said.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let port = self.port.unwrap_or(PORT_DEFAULT);
        if self.host == "*" {
            let every: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
            return Ok(every.map(|ip| SocketAddr::new(ip, port)).to_vec());
        }
        Ok((self.host.as_str(), port).to_socket_addrs()?.collect())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (_, None) => f.write_str(&self.host),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for (text, host, port) in [
            ("127.0.0.1", "127.0.0.1", None),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:65535", "::1", Some(65535)),
            ("memtwin-b:11311", "memtwin-b", Some(11311)),
            ("*:0", "*", Some(0)),
        ] {
            let address = Address::parse(text).unwrap();
            let read = (address.host.as_str(), address.port);
            assert_eq!(read, (host, port), "{text}");
            let again = Address::parse(&address.to_string()).unwrap();
            assert_eq!(again, address, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "", ":1", "a:", "a:b", "a:65536", "a:-1", "[::1", "[::1]x", "a b:1",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_star_is_both_families() {
        let all = Address::any(Some(7)).resolve().unwrap();
        assert_eq!(all.len(), 2);
        assert!(all[0].is_ipv4() && all[1].is_ipv6() && all.iter().all(|a| a.port() == 7));
    }
}
