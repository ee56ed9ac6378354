//! `stats settings`: what the node was started with, in memcached's order.
//!
//! A setting of something that does not exist here prints memcached's default.

use super::NodeView;
use crate::config::address::PORT_DEFAULT;
use crate::config::{Address, Config, Protocol};
use crate::limits::BUFFERS_SHARE;
use crate::protocol::text::reply::stat;
use crate::store::Stamp;

/// Prints them.
pub(super) fn print(view: &NodeView<'_>, out: &mut Vec<u8>) {
    addresses(view, out);
    service(view, out);
    constants(out, &SLABS_AND_CRAWLER);
    stat(out, "flush_enabled", "yes");
    // There are no dumps of keys yet.
    stat(out, "dump_enabled", "no");
    stat(out, "hash_algorithm", "siphash13");
    constants(out, &LRU);
    let lines_bytes = view.store.limit_bytes() / BUFFERS_SHARE;
    stat(out, "read_buf_mem_limit", lines_bytes);
    constants(out, &REST);
}

const SLABS_AND_CRAWLER: [(&str, &str); 10] = [
    ("hashpower_init", "0"),
    ("slab_reassign", "yes"),
    ("slab_automove", "1"),
    ("slab_automove_ratio", "0.80"),
    ("slab_automove_window", "10"),
    ("slab_chunk_max", "524288"),
    ("lru_crawler", "yes"),
    ("lru_crawler_sleep", "100"),
    ("lru_crawler_tocrawl", "0"),
    ("tail_repair_time", "0"),
];

const LRU: [(&str, &str); 11] = [
    ("lru_maintainer_thread", "yes"),
    ("lru_segmented", "yes"),
    ("hot_lru_pct", "20"),
    ("warm_lru_pct", "40"),
    ("hot_max_factor", "0.20"),
    ("warm_max_factor", "2.00"),
    ("temp_lru", "no"),
    ("temporary_ttl", "61"),
    ("idle_timeout", "0"),
    ("watcher_logbuf_size", "262144"),
    ("worker_logbuf_size", "65536"),
];

const REST: [(&str, &str); 16] = [
    ("track_sizes", "no"),
    ("inline_ascii_response", "no"),
    ("ext_item_size", "512"),
    ("ext_item_age", "4294967295"),
    ("ext_low_ttl", "0"),
    ("ext_recache_rate", "2000"),
    ("ext_wbuf_size", "4194304"),
    ("ext_compact_under", "0"),
    ("ext_drop_under", "0"),
    ("ext_max_sleep", "1000000"),
    ("ext_max_frag", "0.80"),
    ("slab_automove_freeratio", "0.010"),
    ("ext_drop_unread", "no"),
    ("num_napi_ids", "0"),
    ("memory_file", "(null)"),
    ("client_flags_size", "4"),
];

fn constants(out: &mut Vec<u8>, all: &[(&str, &str)]) {
    for (name, value) in all {
        stat(out, name, value);
    }
}

fn addresses(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let client = &view.config.client;
    let first = client.listen.first();
    let port = first.map_or(0, |first| first.port.unwrap_or(PORT_DEFAULT));
    stat(out, "maxbytes", view.store.limit_bytes());
    stat(out, "maxconns", client.connections_max);
    stat(out, "tcpport", port);
    stat(out, "udpport", 0);
    stat(out, "inter", interfaces(&client.listen, port));
    stat(out, "verbosity", view.verbosity);
    stat(out, "oldest", flushed_at_secs(view));
    let evictions = view.config.memory.evictions;
    stat(out, "evictions", if evictions { "on" } else { "off" });
    match &client.socket {
        Some(path) => stat(out, "domain_socket", path.display()),
        None => stat(out, "domain_socket", "NULL"),
    }
    stat(out, "umask", format_args!("{:o}", client.socket_mode));
}

fn service(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let Config { client, memory, .. } = view.config;
    stat(out, "shutdown_command", "no");
    stat(out, "growth_factor", "1.25");
    stat(out, "chunk_size", 48);
    stat(out, "num_threads", client.threads);
    stat(out, "num_threads_per_udp", client.threads);
    stat(out, "stat_key_prefix", ":");
    stat(out, "detail_enabled", "no");
    stat(out, "reqs_per_event", client.requests_per_event);
    stat(out, "cas_enabled", "yes");
    stat(out, "tcp_backlog", client.backlog);
    let protocol = match client.protocol {
        Protocol::Auto => "auto-negotiate",
        Protocol::Ascii => "ascii",
        Protocol::Binary => "binary",
    };
    stat(out, "binding_protocol", protocol);
    stat(out, "auth_enabled_sasl", "no");
    stat(out, "auth_enabled_ascii", "no");
    stat(out, "item_size_max", memory.max_item_bytes);
    stat(out, "maxconns_fast", "yes");
}

/// The addresses as `-l` takes them; a port only where it is not `tcpport`.
fn interfaces(listen: &[Address], port: u16) -> String {
    let shown = listen.iter().filter(|address| address.host != "*");
    let shown: Vec<_> = shown
        .map(|address| match address.port {
            Some(own) if own != port => address.to_string(),
            _ => address.host.clone(),
        })
        .collect();
    if shown.is_empty() {
        return "NULL".to_owned();
    }
    shown.join(",")
}

/// When the last flush fired, in seconds since the start, 1 at least; 0 if none has.
fn flushed_at_secs(view: &NodeView<'_>) -> u64 {
    let floor = view.store.floor();
    if floor == Stamp::ZERO {
        return 0;
    }
    let started_wall_ms = view.now.wall_ms.saturating_sub(view.uptime_ms());
    (floor.wall_ms().saturating_sub(started_wall_ms) / 1000).max(1)
}
