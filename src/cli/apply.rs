//! From the command line, and the file it names, to a checked [`Config`].

use std::env;
use std::path::PathBuf;

use super::args::{Cli, OwnFlags};
use super::exit::EXIT_BAD_FLAG;
use super::flags::MemcachedFlags;
use super::layer::{Layer, put};
use super::numbers::{atof, atoi, count, item_bytes, octal};
use super::{extended, listen};
use crate::config::startup_error::{EXIT_USAGE, StartupError};
use crate::config::{Config, check::check, read_file, units};

/// The environment variable that names memcached's file of SASL passwords.
const SASL_PASSWORD_FILE: &str = "MEMCACHED_SASL_PWDB";

/// Defaults, then the file, then the flags, then the check of the whole.
///
/// # Errors
/// What is wrong, where, and what to write instead.
pub fn load(cli: Cli) -> Result<Config, StartupError> {
    let file = cli.own.config.as_deref().map(read_file).transpose()?;
    let mut config = file
        .as_ref()
        .map_or_else(Config::default, |file| file.config.clone());
    let flagged = apply(cli, &mut config)?;
    config.client.port_file = env::var_os("MEMCACHED_PORT_FILENAME").map(PathBuf::from);
    check(config, file.as_ref(), &flagged)
}

/// Puts flags and environment over the configuration; the keys they have set.
pub(super) fn apply(cli: Cli, config: &mut Config) -> Result<Vec<&'static str>, StartupError> {
    let mut layer = Layer {
        config,
        flagged: Vec::new(),
    };
    apply_memcached(cli.memcached, &mut layer)?;
    apply_own(cli.own, &mut layer)?;
    if layer.config.client.sasl {
        let path = env::var_os(SASL_PASSWORD_FILE).map(PathBuf::from);
        put!(layer, sasl.password_file, path);
    }
    Ok(layer.flagged)
}

fn bad_flag(text: &str) -> StartupError {
    StartupError::new(EXIT_BAD_FLAG, text)
}

fn apply_memcached(flags: MemcachedFlags, layer: &mut Layer<'_>) -> Result<(), StartupError> {
    listen::apply(&flags, layer)?;
    apply_switches(&flags, layer);
    apply_slabs(&flags, layer.config)?;
    for list in &flags.extended {
        let keys =
            extended::apply(list, layer.config).map_err(|error| bad_flag(&error.to_string()))?;
        layer.flagged.extend(keys);
    }
    let protocol = flags.protocol.as_deref().map(units::parse_protocol);
    let protocol = protocol
        .transpose()
        .map_err(|error| StartupError::new(EXIT_USAGE, error))?;
    put!(layer, client.protocol, protocol);
    put!(layer, client.socket, flags.unix_socket);
    let mode = flags.unix_mask.map(|text| octal(&text));
    layer.put("client.socket_mask", mode, |c| &mut c.client.socket_mode);
    put!(layer, client.threads, flags.threads.as_deref().map(count));
    let connections = flags.conn_limit.as_deref().map(count);
    layer.put("client.connections", connections, |c| {
        &mut c.client.connections_max
    });
    let requests = flags.max_reqs_per_event.as_deref().map(count);
    put!(layer, client.requests_per_event, requests);
    let backlog = flags.listen_backlog.map(|text| atoi(&text) as i32);
    put!(layer, client.backlog, backlog);
    put!(layer, client.auth_file, flags.auth_file);
    if let Some(text) = flags.delimiter {
        let Some(first) = text.bytes().next() else {
            return Err(bad_flag("No delimiter specified"));
        };
        put!(layer, client.prefix_delimiter, Some(first));
        put!(layer, client.detail, Some(true));
    }
    let limit = flags.memory_limit.map(|text| count(&text) << 20);
    layer.put("memory.limit", limit, |c| &mut c.memory.limit_bytes);
    let item = flags.max_item_size.map(|text| item_bytes(&text));
    layer.put("memory.max_item_size", item, |c| {
        &mut c.memory.max_item_bytes
    });
    put!(layer, node.user, flags.user);
    // What `--verbose=` says does not matter, as in memcached; how often it stands there does.
    let verbosity = u8::try_from(flags.verbose.len()).unwrap_or(u8::MAX);
    put!(layer, node.verbosity, (verbosity > 0).then_some(verbosity));
    put!(layer, node.pid_file, flags.pidfile);
    if flags.memory_file.is_some() {
        let reason = "a node that restarts gets its items from its partner";
        layer.config.tuning.without_effect.push(("-e", reason));
        layer.config.tuning.memory_file = flags.memory_file.map(PathBuf::from);
    }
    Ok(())
}

/// Flags without a value turn settings on, or off.
fn apply_switches(flags: &MemcachedFlags, layer: &mut Layer<'_>) {
    let on = |given: bool| given.then_some(true);
    let off = |given: bool| given.then_some(false);
    put!(layer, client.shutdown_command, on(flags.enable_shutdown));
    put!(layer, client.sasl, on(flags.enable_sasl));
    put!(layer, client.cas, off(flags.disable_cas));
    put!(layer, client.flush_all, off(flags.disable_flush_all));
    put!(layer, client.dumps, off(flags.disable_dumping));
    put!(layer, client.watch, off(flags.disable_watch));
    put!(layer, tls.enabled, on(flags.enable_ssl));
    put!(layer, memory.evictions, off(flags.disable_evictions));
    put!(layer, node.daemon, on(flags.daemon));
    put!(layer, node.lock_memory, on(flags.lock_memory));
    put!(layer, node.core_dumps, on(flags.enable_coredumps));
    layer.config.tuning.large_pages = flags.enable_largepages;
}

/// What shapes memcached's slabs, and its threads by network queue.
fn apply_slabs(flags: &MemcachedFlags, config: &mut Config) -> Result<(), StartupError> {
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

fn apply_own(flags: OwnFlags, layer: &mut Layer<'_>) -> Result<(), StartupError> {
    put!(layer, node.id, flags.node_id);
    put!(layer, node.side, flags.side);
    put!(layer, replication.listen, flags.replication_listen);
    put!(layer, replication.failover, flags.failover);
    put!(layer, replication.mode, flags.replication_mode);
    put!(layer, replication.ack_timeout, flags.ack_timeout);
    put!(layer, replication.key_file, flags.key_file);
    let nodes = (!flags.msm_nodes.is_empty()).then_some(flags.msm_nodes);
    put!(layer, msm.nodes, nodes);
    let patience = flags.start_alone_after;
    let patience = patience.as_deref().map(units::parse_patience).transpose();
    let patience = patience
        .map_err(|error| StartupError::new(EXIT_USAGE, format!("--start-alone-after: {error}")))?;
    put!(layer, replication.start_alone_after, patience);
    put!(layer, replication.drain_timeout, flags.drain_timeout);
    Ok(())
}
