//! `stats reset`: resets what memcached resets. Present totals (items, bytes, open connections) and
//! the link's counters stay.

use super::{NodeCounters, NodeView};

/// Resets the counters.
pub(super) fn reset(view: &NodeView<'_>) {
    for worker in view.workers {
        worker.each().for_each(|(_, counter)| counter.reset());
        for class in worker.by_class.each() {
            class.each().for_each(|(_, counter)| counter.reset());
        }
    }
    let NodeCounters {
        total_connections,
        rejected_connections,
        requests_refused,
        listen_disabled_num,
        time_in_listen_disabled_us,
        log_worker_written,
        log_worker_dropped,
        log_watcher_sent,
        log_watcher_skipped,
        ssl_handshake_errors,
        ssl_proto_errors,
        ssl_new_sessions,
        curr_connections: _,
        listen_disabled: _,
        log_watchers: _,
    } = view.counters;
    let own = [
        total_connections,
        rejected_connections,
        requests_refused,
        listen_disabled_num,
        time_in_listen_disabled_us,
        log_worker_written,
        log_worker_dropped,
        log_watcher_sent,
        log_watcher_skipped,
        ssl_handshake_errors,
        ssl_proto_errors,
        ssl_new_sessions,
    ];
    own.iter().for_each(|counter| counter.reset());
    view.store.counters().reset();
    view.prefixes.clear();
}
