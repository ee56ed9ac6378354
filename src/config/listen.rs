//! Where clients connect: an address, and what is spoken there, as `-l` writes it.
//!
//! `notls:`, `mtls:` or `btls:`, then `proto[ascii]:`, then `tag[name]:`, each where it is wanted,
//! then the address: `notls:proto[ascii]:127.0.0.1:11211`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use super::address::{Address, AddressError};
use super::choices::Protocol;
use crate::limits::TAG_BYTES_MAX;

/// An address for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: Address,
    /// Whether TLS is spoken there; `None`: as everywhere.
    pub tls: Option<ListenTls>,
    /// Which protocol is spoken there; `None`: as everywhere.
    pub protocol: Option<Protocol>,
    /// The name memcached's proxy would know its connections by.
    pub tag: Option<String>,
}

/// What an address says of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenTls {
    /// `notls`: none.
    Plain,
    /// `mtls`: every client must show a good certificate.
    Mutual,
    /// `btls`: no client is asked for a certificate.
    Basic,
}

/// Why a text is no address for clients, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ListenError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("`{0}` lacks `]:`: write proto[ascii]:host:port")]
    Bracket(String),
    #[error("`{0}` lacks the end of its tag: write tag[name]:host:port")]
    TagEnd(String),
    #[error("Listener tags must be between 1 and {TAG_BYTES_MAX} characters: \"{0}\"")]
    Tag(String),
    #[error("proto[proxy]: memtwin is no proxy; write another address")]
    Proxy,
    #[error(
        "Invalid protocol spec: \"{0}\" -- write proto[ascii], proto[binary] or \
         proto[negotiating]"
    )]
    Protocol(String),
}

impl Listen {
    /// An address without prefixes.
    #[must_use]
    pub fn plain(address: Address) -> Self {
        Self {
            address,
            tls: None,
            protocol: None,
            tag: None,
        }
    }

    /// Reads an address with its prefixes.
    pub(crate) fn parse(text: &str) -> Result<Self, ListenError> {
        let mut rest = text.trim();
        let mut tls = None;
        for (prefix, meaning) in TLS_PREFIXES {
            if let Some(tail) = rest.strip_prefix(prefix) {
                (rest, tls) = (tail, Some(meaning));
                break;
            }
        }
        let mut protocol = None;
        if let Some(tail) = rest.strip_prefix("proto[") {
            let (name, tail) = up_to_bracket(tail, text)?;
            (rest, protocol) = (tail, Some(parse_protocol(name)?));
        }
        let mut tag = None;
        if let Some((name, tail)) = tagged(rest, text)? {
            if name.is_empty() || name.len() > TAG_BYTES_MAX {
                return Err(ListenError::Tag(name.to_owned()));
            }
            (rest, tag) = (tail, Some(name.to_owned()));
        }
        Ok(Self {
            address: Address::parse(rest)?,
            tls,
            protocol,
            tag,
        })
    }
}

const TLS_PREFIXES: [(&str, ListenTls); 3] = [
    ("notls:", ListenTls::Plain),
    ("mtls:", ListenTls::Mutual),
    ("btls:", ListenTls::Basic),
];

fn parse_protocol(name: &str) -> Result<Protocol, ListenError> {
    match name {
        "ascii" => Ok(Protocol::Ascii),
        "binary" => Ok(Protocol::Binary),
        "negotiating" => Ok(Protocol::Auto),
        "proxy" => Err(ListenError::Proxy),
        _ => Err(ListenError::Protocol(name.to_owned())),
    }
}

/// The name of `tag[name]:` or `tag_name_:` and what follows it, if that is how `rest` begins.
fn tagged<'a>(rest: &'a str, whole: &str) -> Result<Option<(&'a str, &'a str)>, ListenError> {
    if let Some(tail) = rest.strip_prefix("tag[") {
        return up_to_bracket(tail, whole).map(Some);
    }
    let Some(tail) = rest.strip_prefix("tag_") else {
        return Ok(None);
    };
    tail.split_once("_:")
        .map(Some)
        .ok_or_else(|| ListenError::TagEnd(whole.to_owned()))
}

fn up_to_bracket<'a>(rest: &'a str, whole: &str) -> Result<(&'a str, &'a str), ListenError> {
    rest.split_once("]:")
        .ok_or_else(|| ListenError::Bracket(whole.to_owned()))
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (prefix, meaning) in TLS_PREFIXES {
            if self.tls == Some(meaning) {
                f.write_str(prefix)?;
            }
        }
        match self.protocol {
            None => {}
            Some(Protocol::Ascii) => f.write_str("proto[ascii]:")?,
            Some(Protocol::Binary) => f.write_str("proto[binary]:")?,
            Some(Protocol::Auto) => f.write_str("proto[negotiating]:")?,
        }
        if let Some(tag) = &self.tag {
            write!(f, "tag[{tag}]:")?;
        }
        self.address.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_and_written_back() {
        let parsed = Listen::parse("mtls:proto[binary]:tag[tools]:[::1]:7").unwrap();
        assert_eq!(parsed.tls, Some(ListenTls::Mutual));
        assert_eq!(parsed.protocol, Some(Protocol::Binary));
        assert_eq!(parsed.tag.as_deref(), Some("tools"));
        assert_eq!(parsed.address, Address::parse("[::1]:7").unwrap());
        for text in [
            "127.0.0.1",
            "notls:127.0.0.1:1",
            "btls:*:1",
            "proto[negotiating]:::1",
            "proto[ascii]:tag[a]:localhost:1",
            "tag[12345678]:localhost",
        ] {
            assert_eq!(Listen::parse(text).unwrap().to_string(), text);
        }
        let other_form = Listen::parse("tag_tools_:127.0.0.1").unwrap();
        assert_eq!(other_form, Listen::parse("tag[tools]:127.0.0.1").unwrap());
        // A host may begin like a prefix.
        assert_eq!(Listen::parse("tagger:1").unwrap().tag, None);
        assert_eq!(Listen::parse("protocol-host:1").unwrap().protocol, None);
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        for text in [
            "notls:",
            "proto[ascii:127.0.0.1",
            "proto[http]:127.0.0.1",
            "proto[proxy]:127.0.0.1",
            "tag[]:127.0.0.1",
            "tag[123456789]:127.0.0.1",
            "tag_x:127.0.0.1",
        ] {
            assert!(Listen::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
