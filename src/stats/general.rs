//! `stats`: memcached's general statistics, in its order.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::NodeView;
use crate::limits::{OWN_FILES, SCRATCH_BYTES, VERSION_ANSWERED};
use crate::protocol::text::reply::stat;

/// Prints all general statistics.
pub(super) fn print(view: &NodeView<'_>, out: &mut Vec<u8>) {
    process(view, out);
    connections(view, out);
    commands(view, out);
    service(view, out);
    machinery(view, out);
    contents(view, out);
}

/// Prints counters of the workers, each under its own name.
macro_rules! counts {
    ($view:ident, $out:ident: $($name:ident)*) => {
        $(stat($out, stringify!($name), $view.sum(|counters| &counters.$name));)*
    };
}

/// Prints 0 for what memcached counts and does not exist here: moves of slab pages and between
/// LRUs, its response objects, its choice of workers.
macro_rules! zeros {
    ($out:ident: $($name:ident)*) => {
        $(stat($out, stringify!($name), 0);)*
    };
}

/// Prints counters of the node, each under its own name.
macro_rules! node_counts {
    ($view:ident, $out:ident: $($name:ident)*) => {
        $(stat($out, stringify!($name), $view.counters.$name.get());)*
    };
}

/// Prints counters that each class has, summed over the classes.
macro_rules! class_counts {
    ($view:ident, $out:ident: $($name:ident)*) => {
        $(stat($out, stringify!($name), $view.sum_of_classes(|counts| &counts.$name));)*
    };
}

fn logs(view: &NodeView<'_>, out: &mut Vec<u8>) {
    node_counts!(view, out: log_worker_dropped log_worker_written);
    node_counts!(view, out: log_watcher_skipped log_watcher_sent log_watchers);
}

/// As in memcached, threads that are turned off have no keys.
fn machinery(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let tuning = &view.tuning;
    if tuning.slabs.reassign {
        zeros!(out: slab_reassign_rescues slab_reassign_chunk_rescues);
        zeros!(out: slab_reassign_inline_reclaim slab_reassign_busy_items);
        zeros!(out: slab_reassign_busy_deletes slab_reassign_busy_nomem);
        stat(out, "slab_reassign_last_busy_status", "none");
        zeros!(out: slab_reassign_running slabs_moved);
    }
    if tuning.lru.crawler {
        stat(out, "lru_crawler_running", u8::from(view.is_crawling));
        stat(out, "lru_crawler_starts", view.crawls);
    }
    if tuning.lru.maintainer {
        zeros!(out: lru_maintainer_juggles);
    }
    zeros!(out: malloc_fails);
    logs(view, out);
    tls(view, out);
    zeros!(out: unexpected_napi_ids round_robin_fallback);
}

/// As in memcached, only with TLS.
fn tls(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let Some(refreshed_boot_ms) = view.tls_refreshed_boot_ms else {
        return;
    };
    if view.config.tls.session_cache {
        node_counts!(view, out: ssl_new_sessions);
    }
    node_counts!(view, out: ssl_handshake_errors ssl_proto_errors);
    let since_ms = view.now.boot_ms.saturating_sub(refreshed_boot_ms);
    stat(out, "time_since_server_cert_refresh", since_ms / 1000);
}

fn process(view: &NodeView<'_>, out: &mut Vec<u8>) {
    stat(out, "pid", std::process::id());
    // Never 0, as in memcached, because tools divide by it. Tools also subtract it from `time` to
    // get the time of the start, so both come from one clock: the difference must not change.
    let time_secs = view.now.unix_secs();
    let started_unix_secs = view.now.unix_ms_at(view.started_boot_ms) / 1000;
    let uptime_secs = time_secs.saturating_sub(started_unix_secs) + 1;
    stat(out, "uptime", uptime_secs);
    stat(out, "time", time_secs);
    stat(out, "version", VERSION_ANSWERED);
    stat(out, "libevent", "none");
    stat(out, "pointer_size", usize::BITS);
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
    let user = usage.map(|usage| usage.user_time());
    let system = usage.map(|usage| usage.system_time());
    stat(out, "rusage_user", seconds(user));
    stat(out, "rusage_system", seconds(system));
}

/// Seconds with six digits after the point.
fn seconds(time: Option<TimeVal>) -> String {
    let time = time.unwrap_or_else(|| TimeVal::new(0, 0));
    format!("{}.{:06}", time.tv_sec(), time.tv_usec())
}

fn connections(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let counters = view.counters;
    let workers = view.workers.len();
    stat(out, "max_connections", view.config.client.connections_max);
    node_counts!(view, out: curr_connections total_connections);
    if view.config.tuning.maxconns_fast {
        node_counts!(view, out: rejected_connections);
    }
    let open = counters.curr_connections.get();
    stat(out, "connection_structures", open);
    zeros!(out: response_obj_oom response_obj_count response_obj_bytes);
    // All connections of a worker share one buffer.
    stat(out, "read_buf_count", workers);
    stat(out, "read_buf_bytes", workers * SCRATCH_BYTES);
    stat(out, "read_buf_bytes_free", 0);
    stat(out, "read_buf_oom", counters.requests_refused.get());
    stat(out, "reserved_fds", OWN_FILES);
}

fn commands(view: &NodeView<'_>, out: &mut Vec<u8>) {
    counts!(view, out: cmd_get);
    class_counts!(view, out: cmd_set);
    counts!(view, out: cmd_flush cmd_touch cmd_meta);
    class_counts!(view, out: get_hits);
    counts!(view, out: get_misses get_expired get_flushed delete_misses);
    class_counts!(view, out: delete_hits);
    counts!(view, out: incr_misses);
    class_counts!(view, out: incr_hits);
    counts!(view, out: decr_misses);
    class_counts!(view, out: decr_hits);
    counts!(view, out: cas_misses);
    class_counts!(view, out: cas_hits cas_badval touch_hits);
    counts!(view, out: touch_misses);
    counts!(view, out: store_too_large store_no_memory);
    counts!(view, out: auth_cmds auth_errors);
    if view.config.client.idle_timeout.is_some() {
        counts!(view, out: idle_kicks);
    }
}

fn service(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let limit_bytes = view.store.limit_bytes();
    counts!(view, out: bytes_read bytes_written);
    stat(out, "limit_maxbytes", limit_bytes);
    // At the limit of `-c` a client is refused; accepting stops only for want of descriptors.
    let disabled = view.counters.listen_disabled.get();
    stat(out, "accepting_conns", 1 - disabled.min(1));
    node_counts!(view, out: listen_disabled_num time_in_listen_disabled_us);
    stat(out, "threads", view.workers.len());
    counts!(view, out: conn_yields);
    // The array of shards; each table grows by itself, in small steps.
    let shards = view.store.shard_count();
    stat(out, "hash_power_level", shards.trailing_zeros());
    stat(out, "hash_bytes", view.store.kept_bytes());
    stat(out, "hash_is_expanding", 0);
}

fn contents(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let memory = view.store.memory();
    let counters = view.store.counters();
    let evictions = counters.sum(|class| &class.evicted);
    let reclaimed = counters.sum(|class| &class.reclaimed);
    let expired_unfetched = counters.sum(|class| &class.expired_unfetched);
    let evicted_unfetched = counters.sum(|class| &class.evicted_unfetched);
    stat(out, "bytes", memory.used_bytes);
    stat(out, "curr_items", memory.live_items);
    counts!(view, out: total_items);
    zeros!(out: slab_global_page_pool);
    let has_segments = view.has_segments();
    stat(out, "expired_unfetched", expired_unfetched);
    stat(out, "evicted_unfetched", evicted_unfetched);
    if has_segments {
        zeros!(out: evicted_active);
    }
    stat(out, "evictions", evictions);
    stat(out, "reclaimed", reclaimed);
    zeros!(out: crawler_reclaimed crawler_items_checked lrutail_reflocked);
    if has_segments {
        zeros!(out: moves_to_cold moves_to_warm moves_within_lru);
        // Writers evict by themselves: no thread does it for them.
        stat(out, "direct_reclaims", evictions + reclaimed);
        zeros!(out: lru_bumps_dropped);
    }
}
