//! `stats items`: the totals and counters of each class, in memcached's order.
//!
//! There is one LRU here; memcached has HOT, WARM and COLD ones for each class. All items are shown
//! as COLD, from which memcached evicts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::NodeView;
use crate::protocol::text::reply::stat;
use crate::store::ClassCounters;

/// Prints the statistics of each class that holds items.
pub(super) fn print(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let idle_secs = view.store.idle_secs_by_class(view.now);
    for (class, _) in view.store.classes().each() {
        if view.store.classes().figures(class).items != 0 {
            let age_secs = idle_secs[usize::from(class)];
            print_class(view, class, age_secs, out);
        }
    }
}

fn print_class(view: &NodeView<'_>, class: u8, age_secs: u64, out: &mut Vec<u8>) {
    let counters = view.store.counters().class(class);
    let get = |counter: fn(&ClassCounters) -> &AtomicU64| counter(counters).load(Ordering::Relaxed);
    let figures = view.store.classes().figures(class);
    let (has_segments, has_temp) = (view.has_segments(), view.has_temp_lru());
    let mut say = |name: &str, value: u64| stat(out, &format!("items:{class}:{name}"), value);
    let (evicted, reclaimed) = (get(|c| &c.evicted), get(|c| &c.reclaimed));
    say("number", figures.items);
    if has_segments {
        say("number_hot", 0);
        say("number_warm", 0);
        say("number_cold", figures.items);
        if has_temp {
            say("number_temp", 0);
        }
        say("age_hot", 0);
        say("age_warm", 0);
    }
    say("age", age_secs);
    say("mem_requested", figures.item_bytes);
    say("evicted", evicted);
    say("evicted_nonzero", get(|c| &c.evicted_nonzero));
    say("evicted_time", get(|c| &c.evicted_idle_secs));
    say("outofmemory", get(|c| &c.out_of_memory));
    say("tailrepairs", 0);
    say("reclaimed", reclaimed);
    say("expired_unfetched", get(|c| &c.expired_unfetched));
    say("evicted_unfetched", get(|c| &c.evicted_unfetched));
    if has_segments {
        say("evicted_active", 0);
    }
    say("crawler_reclaimed", 0);
    say("crawler_items_checked", 0);
    say("lrutail_reflocked", 0);
    if has_segments {
        for name in ["moves_to_cold", "moves_to_warm", "moves_within_lru"] {
            say(name, 0);
        }
        // Writers evict by themselves.
        say("direct_reclaims", evicted + reclaimed);
        say("hits_to_hot", 0);
        say("hits_to_warm", 0);
        let hits = view.sum_of_class(class, |counts| &counts.get_hits);
        say("hits_to_cold", hits);
        say("hits_to_temp", 0);
    }
}
