//! All settings of a node, section by section.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::address::Address;
use super::choices::Mode;
use super::client::Client;
use super::sasl::Sasl;
use super::tls::Tls;
use super::tuning::Tuning;
use super::units;
use crate::limits::ACK_TIMEOUT_MS;

/// All settings of a node.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who this node is.
    pub node: Node,
    /// Where and how clients are served.
    pub client: Client,
    /// Encryption of clients' connections.
    pub tls: Tls,
    /// Users of the binary protocol.
    pub sasl: Sasl,
    /// What items may use.
    pub memory: Memory,
    /// The partner.
    pub replication: Replication,
    /// What is known of memcached-session-manager.
    pub msm: Msm,
    /// Settings of memcached that have no meaning here.
    #[serde(skip)]
    pub tuning: Tuning,
    /// The file it comes from, for what is read again.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// `[node]`: who this node is.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// The node id MSM knows this node by; empty where MSM uses no node ids.
    pub id: String,
    /// 0 on one node of a pair, 1 on the other; required with a failover.
    #[serde(deserialize_with = "units::side")]
    pub side: Option<u8>,
    /// The user to become when started as root (`-u`).
    pub user: Option<String>,
    /// How much is logged: 0 state changes, 1 failures of clients, 2 every command (`-v`).
    pub verbosity: u8,
    /// Whether the node detaches from who started it (`-d`).
    pub daemon: bool,
    /// Where its process id is written (`-P`).
    pub pid_file: Option<PathBuf>,
    /// Whether its memory is never swapped out (`-k`).
    pub lock_memory: bool,
    /// Whether a crash may leave a core file of any size (`-r`).
    pub core_dumps: bool,
}

/// `[memory]`: what items may use.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Memory for items and tables (`-m`).
    #[serde(rename = "limit", deserialize_with = "units::size")]
    pub limit_bytes: usize,
    /// Old items make room for new ones; without, a full node answers errors (`-M`).
    pub evictions: bool,
    /// The largest item, counted as memcached counts it (`-I`).
    #[serde(rename = "max_item_size", deserialize_with = "units::size")]
    pub max_item_bytes: usize,
}

/// `[replication]`: the partner.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replication {
    /// Where side 1 is dialled.
    pub listen: Option<Address>,
    /// The partner's `listen`; a node without one is alone.
    pub failover: Option<Address>,
    /// When a write is answered.
    #[serde(deserialize_with = "units::mode")]
    pub mode: Mode,
    /// How long an answer to a write waits for the partner in `semi-sync` mode.
    #[serde(deserialize_with = "units::ack_timeout")]
    pub ack_timeout: Duration,
    /// The pair's key, made by `memtwin keygen`.
    pub key_file: Option<PathBuf>,
    /// How long a starting node waits for an absent partner; `None`: for ever.
    #[serde(deserialize_with = "units::patience")]
    pub start_alone_after: Option<Duration>,
    /// How long a stopping node waits for the partner to confirm something more.
    #[serde(deserialize_with = "units::duration")]
    pub drain_timeout: Duration,
}

/// `[msm]`: what is known of memcached-session-manager.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Msm {
    /// Treat MSM's keys as what they are.
    pub aware: bool,
    /// The node ids of MSM's `memcachedNodes`.
    pub nodes: Vec<String>,
}

impl Config {
    /// Whether this node is one of a pair.
    pub fn is_pair(&self) -> bool {
        self.replication.failover.is_some()
    }

    /// The text both nodes of a pair should agree on: the settings that decide what travels.
    pub fn policy(&self) -> String {
        let mut nodes = self.msm.nodes.clone();
        nodes.sort();
        format!("msm.aware={} msm.nodes={}", self.msm.aware, nodes.join(","))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            limit_bytes: 64 << 20,
            evictions: true,
            max_item_bytes: 1 << 20,
        }
    }
}

impl Default for Replication {
    fn default() -> Self {
        Self {
            listen: None,
            failover: None,
            mode: Mode::default(),
            ack_timeout: Duration::from_millis(ACK_TIMEOUT_MS),
            key_file: None,
            start_alone_after: Some(Duration::from_secs(2)),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Msm {
    fn default() -> Self {
        Self {
            aware: true,
            nodes: Vec::new(),
        }
    }
}
