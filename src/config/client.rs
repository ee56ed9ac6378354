//! `[client]`: where and how clients are served.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::address::{Address, PORT_DEFAULT};
use super::choices::Protocol;
use super::listen::Listen;
use super::units;

/// What `-R` is unless it is given.
pub(crate) const REQUESTS_PER_EVENT_DEFAULT: usize = 20;

/// See the module.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// TCP addresses as written (`-l`, `-p`); unused with `socket`.
    pub listen: Vec<Listen>,
    /// `listen`, resolved by [`check`](super::check): a group for each, of which at least one must
    /// be bound (a name or `*` may resolve to an address family that this host does not have).
    #[serde(skip)]
    pub addresses: Vec<Vec<SocketAddr>>,
    /// Where the ports are written once clients are accepted (`MEMCACHED_PORT_FILENAME`).
    #[serde(skip)]
    pub port_file: Option<PathBuf>,
    /// Unix socket (`-s`), instead of TCP.
    pub socket: Option<PathBuf>,
    /// Access mode of the unix socket (`-a`).
    #[serde(rename = "socket_mask", deserialize_with = "units::octal")]
    pub socket_mode: u32,
    /// Worker threads (`-t`).
    pub threads: usize,
    /// Simultaneous connections (`-c`).
    #[serde(rename = "connections")]
    pub connections_max: usize,
    /// Connections the kernel keeps before they are accepted (`-b`).
    pub backlog: i32,
    /// Requests of one connection before others have a turn (`-R`).
    pub requests_per_event: usize,
    /// What clients speak (`-B`), where the address they come to says nothing else.
    #[serde(deserialize_with = "units::protocol")]
    pub protocol: Protocol,
    /// How long a TCP connection may be idle (`-o idle_timeout`); `None`: for ever.
    #[serde(deserialize_with = "units::patience")]
    pub idle_timeout: Option<Duration>,
    /// Names and passwords of the text protocol (`-Y`).
    pub auth_file: Option<PathBuf>,
    /// Whether clients of the binary protocol must prove who they are (`-S`).
    pub sasl: bool,
    /// Whether every item has a CAS unique (`-C` turns them off).
    pub cas: bool,
    /// Whether `flush_all` is carried out (`-F` refuses it).
    pub flush_all: bool,
    /// Whether keys are listed: `stats cachedump`, `stats detail`, `lru_crawler metadump` (`-X`
    /// refuses them).
    pub dumps: bool,
    /// Whether `watch` is carried out (`-W` refuses it).
    pub watch: bool,
    /// Whether `shutdown` is carried out (`-A`).
    pub shutdown_command: bool,
    /// Whether `stats detail` counts from the start (`-D`).
    pub detail: bool,
    /// What ends the prefix of a key in `stats detail` (`-D`).
    #[serde(deserialize_with = "units::delimiter")]
    pub prefix_delimiter: u8,
    /// Whether `stats sizes` counts items by size (`-o track_sizes`).
    pub track_sizes: bool,
    /// Bytes of log lines that wait for one watcher (`-o watcher_logbuf_size`).
    #[serde(deserialize_with = "units::size")]
    pub watcher_logbuf_size: usize,
    /// Bytes of log lines that one worker keeps for all watchers (`-o worker_logbuf_size`).
    #[serde(deserialize_with = "units::size")]
    pub worker_logbuf_size: usize,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            listen: vec![Listen::plain(Address::any(Some(PORT_DEFAULT)))],
            addresses: Vec::new(),
            port_file: None,
            socket: None,
            socket_mode: 0o700,
            threads: 4,
            connections_max: 1024,
            backlog: 1024,
            requests_per_event: REQUESTS_PER_EVENT_DEFAULT,
            protocol: Protocol::Auto,
            idle_timeout: None,
            auth_file: None,
            sasl: false,
            cas: true,
            flush_all: true,
            dumps: true,
            watch: true,
            shutdown_command: false,
            detail: false,
            prefix_delimiter: b':',
            track_sizes: false,
            watcher_logbuf_size: 256 << 10,
            worker_logbuf_size: 64 << 10,
        }
    }
}
