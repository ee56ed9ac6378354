//! From the command line, and the file it names, to a checked [`Config`].

use std::env;
use std::path::PathBuf;

use super::exit::EXIT_BAD_FLAG;
use super::numbers::{atof, atoi, item_bytes, octal};
use super::{Cli, MemcachedFlags, OwnFlags, extended, listen};
use crate::config::problem::{EXIT_USAGE, Problem};
use crate::config::{Config, check::check, read_file, units};

/// The environment variable that names memcached's file of SASL passwords.
const SASL_PASSWORD_FILE: &str = "MEMCACHED_SASL_PWDB";

/// Defaults, then the file, then the flags, then the check of the whole.
///
/// # Errors
/// What is wrong, where, and what to write instead.
pub fn load(cli: Cli) -> Result<Config, Problem> {
    let file = cli.own.config.as_deref().map(read_file).transpose()?;
    let mut config = file
        .as_ref()
        .map_or_else(Config::default, |file| file.config.clone());
    let mut layer = Layer {
        config: &mut config,
        flagged: Vec::new(),
    };
    apply_memcached(cli.memcached.without_blanks(), &mut layer)?;
    apply_own(cli.own, &mut layer)?;
    if layer.config.client.sasl {
        let path = env::var_os(SASL_PASSWORD_FILE).map(|path| Some(path.into()));
        layer.put("sasl.password_file", path, |c| &mut c.sasl.password_file);
    }
    let flagged = layer.flagged;
    config.client.port_file = env::var_os("MEMCACHED_PORT_FILENAME").map(PathBuf::from);
    check(config, file.as_ref(), &flagged)
}

/// The configuration while flags are put over it, and the keys they have set.
pub(super) struct Layer<'c> {
    pub(super) config: &'c mut Config,
    pub(super) flagged: Vec<&'static str>,
}

impl Layer<'_> {
    /// Puts a flag's value, where there is one, into its setting.
    pub(super) fn put<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        setting: impl FnOnce(&mut Config) -> &mut T,
    ) {
        if let Some(value) = value {
            *setting(self.config) = value;
            self.flagged.push(key);
        }
    }

    /// A flag without a value: turns a setting on or off.
    fn switch(
        &mut self,
        key: &'static str,
        given: bool,
        to: bool,
        setting: impl FnOnce(&mut Config) -> &mut bool,
    ) {
        self.put(key, given.then_some(to), setting);
    }
}

fn count(text: Option<String>) -> Option<usize> {
    text.map(|text| atoi(&text).clamp(0, 1 << 40) as usize)
}

fn bad_flag(text: &str) -> Problem {
    Problem::new(EXIT_BAD_FLAG, text)
}

fn apply_memcached(flags: MemcachedFlags, layer: &mut Layer<'_>) -> Result<(), Problem> {
    listen::apply(&flags, layer)?;
    apply_switches(&flags, layer);
    apply_slabs(&flags, layer.config)?;
    for list in &flags.extended {
        let keys = extended::apply(list, layer.config).map_err(|words| bad_flag(&words))?;
        layer.flagged.extend(keys);
    }
    let protocol = flags.protocol.as_deref().map(units::parse_protocol);
    let protocol = protocol
        .transpose()
        .map_err(|words| Problem::new(EXIT_USAGE, words))?;
    layer.put("client.protocol", protocol, |c| &mut c.client.protocol);
    let socket = flags.unix_socket.map(Some);
    layer.put("client.socket", socket, |c| &mut c.client.socket);
    let mode = flags.unix_mask.map(|text| octal(&text));
    layer.put("client.socket_mask", mode, |c| &mut c.client.socket_mode);
    let threads = count(flags.threads);
    layer.put("client.threads", threads, |c| &mut c.client.threads);
    let connections = count(flags.conn_limit);
    layer.put("client.connections", connections, |c| {
        &mut c.client.connections_max
    });
    let requests = count(flags.max_reqs_per_event);
    layer.put("client.requests_per_event", requests, |c| {
        &mut c.client.requests_per_event
    });
    let backlog = flags.listen_backlog.map(|text| atoi(&text) as i32);
    layer.put("client.backlog", backlog, |c| &mut c.client.backlog);
    let auth_file = flags.auth_file.map(Some);
    layer.put("client.auth_file", auth_file, |c| &mut c.client.auth_file);
    if let Some(text) = flags.delimiter {
        let Some(first) = text.bytes().next() else {
            return Err(bad_flag("No delimiter specified"));
        };
        layer.put("client.prefix_delimiter", Some(first), |c| {
            &mut c.client.prefix_delimiter
        });
        layer.put("client.detail", Some(true), |c| &mut c.client.detail);
    }
    let limit = count(flags.memory_limit).map(|megabytes| megabytes << 20);
    layer.put("memory.limit", limit, |c| &mut c.memory.limit_bytes);
    let item = flags.max_item_size.map(|text| item_bytes(&text));
    layer.put("memory.max_item_size", item, |c| {
        &mut c.memory.max_item_bytes
    });
    layer.put("node.user", flags.user.map(Some), |c| &mut c.node.user);
    // What `--verbose=` says does not matter, as in memcached; how often it stands there does.
    let verbosity = u8::try_from(flags.verbose.len()).unwrap_or(u8::MAX);
    let verbosity = (verbosity > 0).then_some(verbosity);
    layer.put("node.verbosity", verbosity, |c| &mut c.node.verbosity);
    let pid_file = flags.pidfile.map(Some);
    layer.put("node.pid_file", pid_file, |c| &mut c.node.pid_file);
    if flags.memory_file.is_some() {
        let reason = "a node that restarts gets its items from its partner";
        layer.config.tuning.without_effect.push(("-e", reason));
        layer.config.tuning.memory_file = flags.memory_file;
    }
    Ok(())
}

fn apply_switches(flags: &MemcachedFlags, layer: &mut Layer<'_>) {
    let shutdown = flags.enable_shutdown;
    layer.switch("client.shutdown_command", shutdown, true, |c| {
        &mut c.client.shutdown_command
    });
    layer.switch("client.sasl", flags.enable_sasl, true, |c| {
        &mut c.client.sasl
    });
    layer.switch("client.cas", flags.disable_cas, false, |c| {
        &mut c.client.cas
    });
    let flush = flags.disable_flush_all;
    layer.switch("client.flush_all", flush, false, |c| {
        &mut c.client.flush_all
    });
    layer.switch("client.dumps", flags.disable_dumping, false, |c| {
        &mut c.client.dumps
    });
    layer.switch("client.watch", flags.disable_watch, false, |c| {
        &mut c.client.watch
    });
    layer.switch("tls.enabled", flags.enable_ssl, true, |c| {
        &mut c.tls.enabled
    });
    let evictions = flags.disable_evictions;
    layer.switch("memory.evictions", evictions, false, |c| {
        &mut c.memory.evictions
    });
    layer.switch("node.daemon", flags.daemon, true, |c| &mut c.node.daemon);
    layer.switch("node.lock_memory", flags.lock_memory, true, |c| {
        &mut c.node.lock_memory
    });
    layer.switch("node.core_dumps", flags.enable_coredumps, true, |c| {
        &mut c.node.core_dumps
    });
    layer.config.tuning.large_pages = flags.enable_largepages;
}

/// What shapes memcached's slabs, and its threads by network queue.
fn apply_slabs(flags: &MemcachedFlags, config: &mut Config) -> Result<(), Problem> {
    let tuning = &mut config.tuning;
    if let Some(text) = &flags.slab_growth_factor {
        tuning.slabs.growth_factor = atof(text);
        if tuning.slabs.growth_factor <= 1.0 {
            return Err(bad_flag("Factor must be greater than 1"));
        }
    }
    if let Some(text) = &flags.slab_min_size {
        tuning.slabs.min_size_bytes = atoi(text).max(0) as usize;
        if tuning.slabs.min_size_bytes == 0 {
            return Err(bad_flag("Chunk size must be greater than 0"));
        }
    }
    if let Some(text) = &flags.napi_ids {
        tuning.napi_ids = atoi(text);
        if tuning.napi_ids <= 0 {
            return Err(bad_flag(
                "Maximum number of NAPI IDs must be greater than 0",
            ));
        }
        let reason = "workers take connections in turn";
        tuning.without_effect.push(("-N", reason));
    }
    Ok(())
}

fn apply_own(flags: OwnFlags, layer: &mut Layer<'_>) -> Result<(), Problem> {
    layer.put("node.id", flags.node_id, |c| &mut c.node.id);
    layer.put("node.side", flags.side.map(Some), |c| &mut c.node.side);
    let listen = flags.replication_listen.map(Some);
    layer.put("replication.listen", listen, |c| &mut c.replication.listen);
    let failover = flags.failover.map(Some);
    layer.put("replication.failover", failover, |c| {
        &mut c.replication.failover
    });
    let mode = flags.replication_mode;
    layer.put("replication.mode", mode, |c| &mut c.replication.mode);
    let key_file = flags.key_file.map(Some);
    layer.put("replication.key_file", key_file, |c| {
        &mut c.replication.key_file
    });
    let nodes = (!flags.msm_nodes.is_empty()).then_some(flags.msm_nodes);
    layer.put("msm.nodes", nodes, |c| &mut c.msm.nodes);
    let patience = flags.start_alone_after;
    let patience = patience.as_deref().map(units::parse_patience).transpose();
    let patience = patience
        .map_err(|words| Problem::new(EXIT_USAGE, format!("--start-alone-after: {words}")))?;
    let alone = "replication.start_alone_after";
    layer.put(alone, patience, |c| &mut c.replication.start_alone_after);
    Ok(())
}
