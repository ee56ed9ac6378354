//! `stats settings`: the configuration of the node, in memcached's order.
//!
//! Settings without a meaning here print the value of the command line, else memcached's default.

use std::path::PathBuf;

use super::NodeView;
use crate::config::address::PORT_DEFAULT;
use crate::config::tuning::Slabs;
use crate::config::{Config, Listen, Protocol, Tls, TlsVersion};
use crate::limits::UNFINISHED_PERCENT;
use crate::protocol::text::reply::stat;
use crate::store::Timestamp;

/// Prints all settings.
pub(super) fn print(view: &NodeView<'_>, out: &mut Vec<u8>) {
    addresses(view, out);
    service(view, out);
    slabs(&view.tuning.slabs, out);
    lru(view, out);
    storage(&view.tuning.slabs, out);
    tls(&view.config.tls, out);
    let tuning = &view.tuning;
    stat(out, "num_napi_ids", tuning.napi_ids);
    path_or(out, "memory_file", &tuning.memory_file, "(null)");
    stat(out, "client_flags_size", 4);
}

fn yes_no(setting: bool) -> &'static str {
    if setting { "yes" } else { "no" }
}

/// Prints a path, or what memcached prints where there is none.
fn path_or(out: &mut Vec<u8>, name: &str, path: &Option<PathBuf>, none: &str) {
    match path {
        Some(path) => stat(out, name, path.display()),
        None => stat(out, name, none),
    }
}

fn addresses(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let Config { client, tuning, .. } = view.config;
    let port = tcp_port(view.config);
    stat(out, "maxbytes", view.store.limit_bytes());
    stat(out, "maxconns", client.connections_max);
    stat(out, "tcpport", port);
    stat(out, "udpport", 0);
    match &tuning.interfaces {
        Some(text) => stat(out, "inter", text),
        None => stat(out, "inter", interfaces(&client.listen, port)),
    }
    stat(out, "verbosity", view.verbosity);
    stat(out, "oldest", flushed_at_secs(view));
    let evictions = view.config.memory.evictions;
    stat(out, "evictions", if evictions { "on" } else { "off" });
    path_or(out, "domain_socket", &client.socket, "NULL");
    stat(out, "umask", format_args!("{:o}", client.socket_mode));
}

fn service(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let Config {
        client,
        memory,
        tuning,
        ..
    } = view.config;
    stat(out, "shutdown_command", yes_no(client.shutdown_command));
    let factor = tuning.slabs.growth_factor;
    stat(out, "growth_factor", format_args!("{factor:.2}"));
    stat(out, "chunk_size", tuning.slabs.min_size_bytes);
    stat(out, "num_threads", client.threads);
    let interfaces = tuning.interfaces.as_deref();
    let many = interfaces.is_some_and(|all| all.contains(','));
    let udp_threads = if many { 1 } else { client.threads };
    stat(out, "num_threads_per_udp", udp_threads);
    // The delimiter may be any byte.
    out.extend_from_slice(b"STAT stat_key_prefix ");
    out.extend_from_slice(&[client.prefix_delimiter, b'\r', b'\n']);
    let detail = view.prefixes.is_on();
    stat(out, "detail_enabled", yes_no(detail));
    stat(out, "reqs_per_event", client.requests_per_event);
    stat(out, "cas_enabled", yes_no(client.cas));
    stat(out, "tcp_backlog", client.backlog);
    let protocol = match client.protocol {
        Protocol::Auto => "auto-negotiate",
        Protocol::Ascii => "ascii",
        Protocol::Binary => "binary",
    };
    stat(out, "binding_protocol", protocol);
    stat(out, "auth_enabled_sasl", yes_no(client.sasl));
    path_or(out, "auth_enabled_ascii", &client.auth_file, "no");
    stat(out, "item_size_max", memory.max_item_bytes);
    stat(out, "maxconns_fast", yes_no(tuning.maxconns_fast));
    stat(out, "hashpower_init", tuning.hashpower_init);
}

fn slabs(slabs: &Slabs, out: &mut Vec<u8>) {
    stat(out, "slab_reassign", yes_no(slabs.reassign));
    stat(out, "slab_automove", slabs.automove);
    let ratio = slabs.automove_ratio;
    stat(out, "slab_automove_ratio", format_args!("{ratio:.2}"));
    stat(out, "slab_automove_window", slabs.automove_window);
    stat(out, "slab_chunk_max", slabs.chunk_max_bytes);
}

fn lru(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let client = &view.config.client;
    let lru = &view.tuning.lru;
    stat(out, "lru_crawler", yes_no(lru.crawler));
    stat(out, "lru_crawler_sleep", lru.crawler_sleep_us);
    stat(out, "lru_crawler_tocrawl", lru.crawler_tocrawl);
    stat(out, "tail_repair_time", lru.tail_repair_secs);
    stat(out, "flush_enabled", yes_no(client.flush_all));
    stat(out, "dump_enabled", yes_no(client.dumps));
    stat(out, "hash_algorithm", "siphash13");
    stat(out, "lru_maintainer_thread", yes_no(lru.maintainer));
    stat(out, "lru_segmented", yes_no(lru.segmented));
    stat(out, "hot_lru_pct", lru.hot_pct);
    stat(out, "warm_lru_pct", lru.warm_pct);
    let (hot, warm) = (lru.hot_max_factor, lru.warm_max_factor);
    stat(out, "hot_max_factor", format_args!("{hot:.2}"));
    stat(out, "warm_max_factor", format_args!("{warm:.2}"));
    stat(out, "temp_lru", yes_no(lru.temporary));
    stat(out, "temporary_ttl", lru.temporary_ttl_secs);
    let idle_secs = client.idle_timeout.map_or(0, |idle| idle.as_secs());
    stat(out, "idle_timeout", idle_secs);
    stat(out, "watcher_logbuf_size", client.watcher_logbuf_size);
    stat(out, "worker_logbuf_size", client.worker_logbuf_size);
    let input_bytes = view.store.limit_bytes() / 100 * UNFINISHED_PERCENT;
    stat(out, "read_buf_mem_limit", input_bytes);
    stat(out, "track_sizes", yes_no(client.track_sizes));
    stat(out, "inline_ascii_response", "no");
}

/// Printed by memcached with external storage, which is built by default.
fn storage(slabs: &Slabs, out: &mut Vec<u8>) {
    for (name, value) in STORAGE {
        stat(out, name, value);
    }
    let ratio = slabs.automove_freeratio;
    stat(out, "slab_automove_freeratio", format_args!("{ratio:.3}"));
    stat(out, "ext_drop_unread", "no");
}

const STORAGE: [(&str, &str); 9] = [
    ("ext_item_size", "512"),
    ("ext_item_age", "4294967295"),
    ("ext_low_ttl", "0"),
    ("ext_recache_rate", "2000"),
    ("ext_wbuf_size", "4194304"),
    ("ext_compact_under", "0"),
    ("ext_drop_under", "0"),
    ("ext_max_sleep", "1000000"),
    ("ext_max_frag", "0.80"),
];

/// Printed by memcached with TLS.
fn tls(tls: &Tls, out: &mut Vec<u8>) {
    stat(out, "ssl_enabled", yes_no(tls.enabled));
    path_or(out, "ssl_chain_cert", &tls.chain_cert, "(null)");
    path_or(out, "ssl_key", &tls.key, "(null)");
    // OpenSSL's numbers for the modes.
    let mode = [0, 1, 3, 7].get(usize::from(tls.verify_mode)).copied();
    stat(out, "ssl_verify_mode", mode.unwrap_or_default());
    stat(out, "ssl_keyformat", tls.key_format);
    stat(out, "ssl_ciphers", tls.ciphers.as_deref().unwrap_or("NULL"));
    path_or(out, "ssl_ca_cert", &tls.ca_cert, "NULL");
    stat(out, "ssl_wbuf_size", tls.wbuf_bytes);
    stat(out, "ssl_session_cache", yes_no(tls.session_cache));
    stat(out, "ssl_kernel_tls", yes_no(tls.kernel_tls));
    // The version that is enforced: nothing older than 1.2 exists here.
    let min_version = tls.min_version.max(TlsVersion::V1_2);
    stat(out, "ssl_min_version", min_version.name());
}

/// The port of `-p`, else that of the first address.
fn tcp_port(config: &Config) -> i64 {
    let first = config.client.listen.first();
    let port = first.map_or(0, |first| first.address.port.unwrap_or(PORT_DEFAULT));
    config.tuning.port.unwrap_or_else(|| i64::from(port))
}

/// The addresses in the form of `-l`, with a port only where it is not `tcpport`.
fn interfaces(listen: &[Listen], port: i64) -> String {
    let shown = listen.iter().filter(|one| one.address.host != "*");
    let shown: Vec<_> = shown
        .map(|one| match one.address.port {
            Some(own) if i64::from(own) == port => {
                let mut plain = one.clone();
                plain.address.port = None;
                plain.to_string()
            }
            _ => one.to_string(),
        })
        .collect();
    if shown.is_empty() {
        return "NULL".to_owned();
    }
    shown.join(",")
}

/// When the last flush fired, in seconds since the start, at least 1; 0 if none has.
fn flushed_at_secs(view: &NodeView<'_>) -> u64 {
    let flush_watermark = view.store.flush_watermark();
    if flush_watermark == Timestamp::ZERO {
        return 0;
    }
    let started_wall_ms = view.now.wall_ms.saturating_sub(view.uptime_ms());
    (flush_watermark.wall_ms().saturating_sub(started_wall_ms) / 1000).max(1)
}
