//! memcached's flags.

use clap::{ArgAction, Args};

use super::value::{File, Text};

/// memcached's flags. The values are texts because memcached reads numbers as C's `atoi` does:
/// `-m 64m` is 64, and `-t x` is 0.
#[derive(Debug, Args)]
pub(super) struct MemcachedFlags {
    /// TCP port to listen on; -1 takes a free one, 0 none [default: 11211]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub(super) port: Option<Text>,
    /// UDP port; only 0 (off), for a server that answers UDP amplifies attacks on others
    #[arg(short = 'U', long, value_name = "num", allow_hyphen_values = true)]
    pub(super) udp_port: Option<Text>,
    /// Unix socket to listen on, instead of TCP
    #[arg(short = 's', long, value_name = "file")]
    pub(super) unix_socket: Option<File>,
    /// Access mask of the unix socket, in octal [default: 700]
    #[arg(short = 'a', long, value_name = "mask", allow_hyphen_values = true)]
    pub(super) unix_mask: Option<Text>,
    /// Carry out the command `shutdown`
    #[arg(short = 'A', long)]
    pub(super) enable_shutdown: bool,
    /// Addresses to listen on: host, host:port, `[::1]:port`, a list, each with prefixes where
    /// they are wanted: notls:, mtls: or btls:, then `proto[ascii]:`, then `tag[name]:` [default:
    /// every address]
    #[arg(short, long, value_name = "addr")]
    pub(super) listen: Vec<Text>,
    /// Run as a daemon
    #[arg(short, long)]
    pub(super) daemon: bool,
    /// Let a crash leave a core file of any size
    #[arg(short = 'r', long)]
    pub(super) enable_coredumps: bool,
    /// User to become (needed when started as root)
    #[arg(short, long, value_name = "user")]
    pub(super) user: Option<Text>,
    /// Memory for items and tables, in megabytes [default: 64]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub(super) memory_limit: Option<Text>,
    /// Return an error when memory is exhausted, instead of evicting
    #[arg(short = 'M', long)]
    pub(super) disable_evictions: bool,
    /// Simultaneous connections [default: 1024]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub(super) conn_limit: Option<Text>,
    /// Keep all memory out of swap
    #[arg(short = 'k', long)]
    pub(super) lock_memory: bool,
    /// Log what clients fail at; -vv logs connections and commands too
    #[arg(short, long, value_name = "any", num_args = 0..=1, require_equals = true,
          default_missing_value = "")]
    pub(super) verbose: Vec<String>,
    /// Print this help and exit
    #[arg(short, long, action = ArgAction::Help)]
    pub(super) help: Option<bool>,
    /// Print the licence and exit
    #[arg(short = 'i', long)]
    pub(super) license: bool,
    /// Print the version and exit
    #[arg(short = 'V', long, action = ArgAction::Version)]
    pub(super) version: Option<bool>,
    /// Write the process id to this file
    #[arg(short = 'P', long, value_name = "file")]
    pub(super) pidfile: Option<File>,
    /// Growth factor of the size classes that `stats slabs` shows [default: 1.25]
    #[arg(short = 'f', long, value_name = "num", allow_hyphen_values = true)]
    pub(super) slab_growth_factor: Option<Text>,
    /// Smallest of these classes, in bytes for key, value and flags [default: 48]
    #[arg(short = 'n', long, value_name = "bytes", allow_hyphen_values = true)]
    pub(super) slab_min_size: Option<Text>,
    /// Fail to start where the system has no large memory pages
    #[arg(short = 'L', long)]
    pub(super) enable_largepages: bool,
    /// What ends the prefix of a key in `stats detail`, which then counts from the start
    /// [default: `:`]
    #[arg(short = 'D', value_name = "char", allow_hyphen_values = true)]
    pub(super) delimiter: Option<Text>,
    /// Worker threads [default: 4]
    #[arg(short, long, value_name = "num", allow_hyphen_values = true)]
    pub(super) threads: Option<Text>,
    /// Requests of one connection before others have a turn [default: 20]
    #[arg(short = 'R', long, value_name = "num", allow_hyphen_values = true)]
    pub(super) max_reqs_per_event: Option<Text>,
    /// Give items no CAS unique
    #[arg(short = 'C', long)]
    pub(super) disable_cas: bool,
    /// Connections the kernel keeps before they are accepted [default: 1024]
    #[arg(short = 'b', long, value_name = "num", allow_hyphen_values = true)]
    pub(super) listen_backlog: Option<Text>,
    /// Protocol of clients: ascii, binary, or auto, which looks at the first byte [default: auto]
    #[arg(short = 'B', long, value_name = "name")]
    pub(super) protocol: Option<Text>,
    /// Largest item, 1k to 1024m [default: 1m]
    #[arg(short = 'I', long, value_name = "num", allow_hyphen_values = true)]
    pub(super) max_item_size: Option<Text>,
    /// Authenticate clients of the binary protocol, the only one then (SASL)
    #[arg(short = 'S', long)]
    pub(super) enable_sasl: bool,
    /// Refuse `flush_all`
    #[arg(short = 'F', long)]
    pub(super) disable_flush_all: bool,
    /// Refuse what lists keys: stats cachedump, stats detail, `lru_crawler` metadump
    #[arg(short = 'X', long)]
    pub(super) disable_dumping: bool,
    /// Refuse `watch`
    #[arg(short = 'W', long)]
    pub(super) disable_watch: bool,
    /// Authenticate clients of the text protocol, the only one then: a file of user:password lines
    #[arg(short = 'Y', long, value_name = "file")]
    pub(super) auth_file: Option<File>,
    /// Encrypt clients' connections with TLS
    #[arg(short = 'Z', long)]
    pub(super) enable_ssl: bool,
    /// Without effect: a node that restarts gets its items from its partner
    #[arg(short = 'e', long, value_name = "file")]
    pub(super) memory_file: Option<File>,
    /// Without effect: workers take connections in turn
    #[arg(short = 'N', long, value_name = "num", allow_hyphen_values = true)]
    pub(super) napi_ids: Option<Text>,
    /// A comma-separated list of the options below
    #[arg(short = 'o', long, value_name = "options", allow_hyphen_values = true)]
    pub(super) extended: Vec<Text>,
}
