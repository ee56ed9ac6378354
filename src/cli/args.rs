//! The whole command line: the verbs, and memtwin's own flags beside memcached's.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::flags::MemcachedFlags;
use crate::config::{Address, Mode, units};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "memtwin",
    display_name = "memcached",
    version = concat!("1.6.45\nmemtwin ", env!("CARGO_PKG_VERSION")),
    about = "memtwin: a memcached whose sessions survive the death of a node.\n\
             It takes memcached's flags, and streams every write to its failover node.",
    help_template = "memcached 1.6.45\n{about}\n\n{usage-heading} {usage}\n\n{all-args}",
    disable_help_flag = true,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true,
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs"
)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// memcached's flags.
    #[command(flatten, next_help_heading = "memcached's flags")]
    pub(super) memcached: MemcachedFlags,
    /// memtwin's own flags.
    #[command(flatten, next_help_heading = "memtwin's own flags")]
    pub(super) own: OwnFlags,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand, PartialEq, Eq)]
pub enum Verb {
    /// Make the key of a pair: a new file, to be copied to both nodes
    Keygen {
        /// The file to make; an existing one is never overwritten
        file: PathBuf,
        /// Print this help and exit
        #[arg(short, long, action = ArgAction::Help)]
        help: Option<bool>,
    },
    /// Read a configuration file and say what is wrong with it
    CheckConfig {
        /// The file to read
        file: PathBuf,
        /// Print this help and exit
        #[arg(short, long, action = ArgAction::Help)]
        help: Option<bool>,
    },
    /// Run a primary and its failover on this machine, to see what they do
    Pair(PairFlags),
}

/// The flags of `memtwin pair`.
#[derive(Debug, Args, PartialEq, Eq)]
pub struct PairFlags {
    /// Clients use this port and the next; the link uses those 100 above
    #[arg(long, value_name = "port", default_value_t = 11211,
          value_parser = clap::value_parser!(u16).range(1..=65434))]
    pub port_base: u16,
    /// Memory for items and tables of each node, in megabytes [default: 64]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub memory_limit: Option<OsString>,
    /// Largest item of both nodes, 1k to 1024m [default: 1m]
    #[arg(short = 'I', long, value_name = "num", allow_hyphen_values = true)]
    pub max_item_size: Option<OsString>,
    /// Print this help and exit
    #[arg(short, long, action = ArgAction::Help)]
    pub help: Option<bool>,
}

impl PairFlags {
    /// Those that are passed on to both nodes.
    pub fn for_a_node(&self) -> Vec<OsString> {
        let flags = [("-m", &self.memory_limit), ("-I", &self.max_item_size)];
        let given = flags.into_iter().filter_map(|(flag, value)| {
            let value = value.clone()?;
            Some([flag.into(), value])
        });
        given.flatten().collect()
    }
}

/// memtwin's own flags; `config/memtwin.toml` explains them.
#[derive(Debug, Args)]
pub(super) struct OwnFlags {
    /// Configuration; a flag overrides what the file says
    #[arg(long, value_name = "file")]
    pub(super) config: Option<PathBuf>,
    /// This node's id in MSM's memcachedNodes
    #[arg(long, value_name = "id")]
    pub(super) node_id: Option<String>,
    /// 0 on one node of a pair, 1 on the other
    #[arg(long, value_name = "0|1", value_parser = units::parse_side)]
    pub(super) side: Option<u8>,
    /// Where side 1 is dialled by its partner
    #[arg(long, value_name = "addr", value_parser = Address::parse)]
    pub(super) replication_listen: Option<Address>,
    /// The partner's replication address
    #[arg(long, value_name = "addr", value_parser = Address::parse)]
    pub(super) failover: Option<Address>,
    /// When a write is answered: semi-sync or async [default: semi-sync]
    #[arg(long, value_name = "mode", value_parser = units::parse_mode)]
    pub(super) replication_mode: Option<Mode>,
    /// How long an answer to a write waits for the partner in semi-sync [default: 20ms]
    #[arg(long, value_name = "time", value_parser = units::parse_ack_timeout)]
    pub(super) ack_timeout: Option<Duration>,
    /// The pair's key, made by `memtwin keygen`
    #[arg(long, value_name = "file")]
    pub(super) key_file: Option<PathBuf>,
    /// The node ids of MSM's memcachedNodes
    #[arg(long, value_name = "id,id", value_delimiter = ',')]
    pub(super) msm_nodes: Vec<String>,
    /// How long a starting node waits for an absent partner, or `never` [default: 2s]
    #[arg(long, value_name = "time")]
    pub(super) start_alone_after: Option<String>,
    /// How long a stopping node waits for the partner to confirm something more [default: 5s]
    #[arg(long, value_name = "time", value_parser = units::parse_duration)]
    pub(super) drain_timeout: Option<Duration>,
}
