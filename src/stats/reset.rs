//! `stats reset`: what memcached sets back. What there is (items, bytes, open connections) and what
//! the link has done stay.

use std::sync::atomic::Ordering;

use super::NodeView;
use crate::store::Counters;

/// Starts the counters again.
pub(super) fn reset(view: &NodeView<'_>) {
    for worker in view.workers {
        worker.each().for_each(|(_, counter)| counter.reset());
    }
    view.counters.total_connections.reset();
    view.counters.rejected_connections.reset();
    view.counters.requests_refused.reset();
    view.counters.listen_disabled_num.reset();
    view.counters.time_in_listen_disabled_us.reset();
    let Counters {
        evictions,
        evicted_unfetched,
        reclaimed,
        expired_unfetched,
        collisions_evicted,
        tombstones_dropped: _,
        records_refused: _,
    } = view.store.counters();
    let own = [
        evictions,
        evicted_unfetched,
        reclaimed,
        expired_unfetched,
        collisions_evicted,
    ];
    for counter in own {
        counter.store(0, Ordering::Relaxed);
    }
}
