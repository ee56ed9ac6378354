//! The command line: memcached's flags with memcached's meaning, memtwin's own, and the verbs.

mod apply;
mod exit;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::{Address, Mode, Problem, units};

pub use apply::load;

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
    disable_help_subcommand = true,
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
    pub memcached: MemcachedFlags,
    /// memtwin's own flags.
    #[command(flatten, next_help_heading = "memtwin's own flags")]
    pub own: OwnFlags,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand, PartialEq, Eq)]
pub enum Verb {
    /// Make the key of a pair: a new file, to be copied to both nodes
    Keygen {
        /// The file to make; an existing one is never overwritten
        file: PathBuf,
    },
    /// Read a configuration file and say what is wrong with it
    CheckConfig {
        /// The file to read
        file: PathBuf,
    },
    /// Run a primary and its failover on this machine, to see what they do
    Pair {
        /// Clients use this port and the next; the link uses those 100 above
        #[arg(long, value_name = "port", default_value_t = 11211,
              value_parser = clap::value_parser!(u16).range(1..=65434))]
        port_base: u16,
    },
}

/// memcached's flags. The values are texts because memcached reads numbers as C's `atoi` does:
/// `-m 64m` is 64, and `-t x` is 0.
#[derive(Debug, Args, Default)]
pub struct MemcachedFlags {
    /// TCP port to listen on; -1 takes a free one, 0 none [default: 11211]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub port: Option<String>,
    /// UDP port; only 0 (off), for a server that answers UDP amplifies attacks on others
    #[arg(short = 'U', long, value_name = "num", allow_hyphen_values = true)]
    pub udp_port: Option<String>,
    /// Unix socket to listen on, instead of TCP
    #[arg(short = 's', long, value_name = "file")]
    pub unix_socket: Option<PathBuf>,
    /// Access mask of the unix socket, in octal [default: 700]
    #[arg(short = 'a', long, value_name = "mask")]
    pub unix_mask: Option<String>,
    /// Addresses to listen on: host, host:port, `[::1]:port`, a list [default: every address]
    #[arg(short, long, value_name = "addr")]
    pub listen: Vec<String>,
    /// User to become (needed when started as root)
    #[arg(short, long, value_name = "user")]
    pub user: Option<String>,
    /// Memory for items and tables, in megabytes [default: 64]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub memory_limit: Option<String>,
    /// Return an error when memory is exhausted, instead of evicting
    #[arg(short = 'M', long)]
    pub disable_evictions: bool,
    /// Largest item, 1k to 1024m [default: 1m]
    #[arg(short = 'I', long, value_name = "num")]
    pub max_item_size: Option<String>,
    /// Simultaneous connections [default: 1024]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub conn_limit: Option<String>,
    /// Worker threads [default: 4]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub threads: Option<String>,
    /// Connections the kernel keeps before they are accepted [default: 1024]
    #[arg(short = 'b', long, value_name = "num", allow_hyphen_values = true)]
    pub listen_backlog: Option<String>,
    /// Requests of one connection before others have a turn [default: 20]
    #[arg(short = 'R', long, value_name = "num", allow_hyphen_values = true)]
    pub max_reqs_per_event: Option<String>,
    /// Protocol of clients: ascii, binary, or auto, which looks at the first byte [default: auto]
    #[arg(short = 'B', long, value_name = "name")]
    pub protocol: Option<String>,
    /// Log more; -vv logs commands too
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print this help and exit
    #[arg(short, long, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// Print the version and exit
    #[arg(short = 'V', long, action = ArgAction::Version)]
    pub version: Option<bool>,
}

/// memtwin's own flags; `config/memtwin.toml` explains them.
#[derive(Debug, Args, Default)]
pub struct OwnFlags {
    /// Configuration; a flag overrides what the file says
    #[arg(long, value_name = "file")]
    pub config: Option<PathBuf>,
    /// This node's id in MSM's memcachedNodes
    #[arg(long, value_name = "id")]
    pub node_id: Option<String>,
    /// 0 on one node of a pair, 1 on the other
    #[arg(long, value_name = "0|1", value_parser = units::parse_side)]
    pub side: Option<u8>,
    /// Where side 1 is dialled by its partner
    #[arg(long, value_name = "addr", value_parser = Address::parse)]
    pub replication_listen: Option<Address>,
    /// The partner's replication address
    #[arg(long, value_name = "addr", value_parser = Address::parse)]
    pub failover: Option<Address>,
    /// When a write is answered: async
    #[arg(long, value_name = "mode", value_parser = units::parse_mode)]
    pub replication_mode: Option<Mode>,
    /// The pair's key, made by `memtwin keygen`
    #[arg(long, value_name = "file")]
    pub key_file: Option<PathBuf>,
    /// The node ids of MSM's memcachedNodes
    #[arg(long, value_name = "id,id", value_delimiter = ',')]
    pub msm_nodes: Vec<String>,
    /// How long a starting node waits for an absent partner, or `never` [default: 2s]
    #[arg(long, value_name = "time")]
    pub start_alone_after: Option<String>,
}

/// Reads a command line; help and version are printed by whoever gets them.
///
/// # Errors
/// The text to print and the exit code, which is 0 for help and version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Problem> {
    let args: Vec<OsString> = args.into_iter().collect();
    Cli::try_parse_from(&args).map_err(|error| exit::problem_of(&error, &args))
}

#[cfg(test)]
mod tests;
