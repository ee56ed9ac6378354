//! `stats reset`: resets what memcached resets. Present totals (items, bytes, open connections) and
//! the link's counters stay.

use super::NodeView;

/// Counters of what is now, which stay.
const PRESENT: [&str; 3] = ["curr_connections", "listen_disabled", "log_watchers"];

/// Resets the counters.
pub(super) fn reset(view: &NodeView<'_>) {
    for worker in view.workers {
        worker.each().for_each(|(_, counter)| counter.reset());
        for class in worker.by_class.each() {
            class.each().for_each(|(_, counter)| counter.reset());
        }
    }
    let totals = view.counters.each();
    let totals = totals.filter(|(name, _)| !PRESENT.contains(name));
    totals.for_each(|(_, counter)| counter.reset());
    view.store.counters().reset();
    view.prefixes.clear();
}
