//! The rows of `stats replication`: one table. Each row has its line in `docs/operating.md`, which
//! the tests over the wire check.

use std::sync::atomic::Ordering;

use super::restart::{Standing, lag_ms};
use super::status::{LinkState, ReplicationStatus};
use crate::config::Mode;
use crate::logs;
use crate::replication::change_queue::{ChangeSender, WriteTotals};
use crate::replication::link::LinkCounters;
use crate::replication::startup::NodeState;
use crate::store::{Memory, Now, Store, UnprotectedItems};

/// Printed in place of a side, node id, mode or link that a node does not have.
const NONE: &str = "none";

/// What the rows show, read at one moment.
struct Snapshot<'a> {
    node_id: &'a str,
    side: Option<u8>,
    mode: Mode,
    state: NodeState,
    link: LinkState,
    counters: LinkCounters,
    writes: WriteTotals,
    /// Keys in the change queue.
    waiting_keys: u64,
    /// Keys were dropped, and the link has not noticed the overflow yet.
    overflowed: bool,
    unprotected: UnprotectedItems,
    now: Now,
    memory: Memory,
    tombstones_dropped: u64,
    evictions_untold: u64,
    unfinished_dropped: u64,
    unauthenticated_links: u64,
    asks_unanswered: u64,
}

/// The name of a row, and its value if it is printed now: one word, except where there is a reason.
type Row = (&'static str, fn(&Snapshot<'_>) -> Option<String>);

const ROWS: &[Row] = &[
    ("memtwin_version", |_| word(env!("CARGO_PKG_VERSION"))),
    ("node_state", |it| word(it.state.word())),
    ("side", |it| it.side.map_or_else(|| word(NONE), number)),
    ("node_id", |it| {
        word(if it.node_id.is_empty() {
            NONE
        } else {
            it.node_id
        })
    }),
    ("mode", |it| it.in_pair(it.mode.word())),
    ("link", |it| {
        it.in_pair(match it.link {
            LinkState::Down => "down",
            LinkState::Up => "up",
            LinkState::Refused(_) => "refused",
        })
    }),
    ("link_refused", |it| match &it.link {
        LinkState::Refused(reason) => Some(reason.clone()),
        LinkState::Down | LinkState::Up => None,
    }),
    ("degraded", |it| number(u8::from(it.counters.degraded))),
    ("degradations", |it| number(it.counters.degradations)),
    ("writes_protected", |it| number(it.writes.protected)),
    ("writes_unprotected", |it| number(it.writes.unprotected)),
    ("writes_late", |it| number(it.writes.late)),
    ("unprotected_items", |it| number(it.unprotected.items)),
    ("oldest_unprotected_age_ms", |it| {
        number(it.unprotected.oldest_age_ms)
    }),
    ("safe_to_restart", |it| {
        it.in_pair(&it.standing().safe_to_restart())
    }),
    ("lag_ms", |it| match it.link {
        LinkState::Up => or_none(lag_ms(&it.counters, it.waiting(), it.now.boot_ms)),
        LinkState::Down | LinkState::Refused(_) => word(NONE),
    }),
    ("link_ups", |it| number(it.counters.link_ups)),
    ("link_faults", |it| number(it.counters.link_faults)),
    ("pass_sent", |it| number(it.counters.pass_sent)),
    ("pass_received", |it| number(it.counters.pass_received)),
    ("queue_keys", |it| {
        number(it.counters.queue_keys + it.waiting_keys)
    }),
    ("unconfirmed_records", |it| {
        number(it.counters.unconfirmed_records)
    }),
    ("unconfirmed_bytes", |it| {
        number(it.counters.unconfirmed_bytes)
    }),
    ("sync_pending", |it| number(u8::from(it.sync_pending()))),
    ("sync_progress_percent", |it| {
        number(it.counters.sync_progress_percent)
    }),
    ("asks_unanswered", |it| number(it.asks_unanswered)),
    ("queue_overflows", |it| number(it.counters.queue_overflows)),
    ("records_sent", |it| number(it.counters.records_sent)),
    ("records_confirmed", |it| {
        number(it.counters.records_confirmed)
    }),
    ("records_superseded", |it| {
        number(it.counters.records_superseded)
    }),
    ("records_no_room", |it| number(it.counters.records_no_room)),
    ("records_lacking", |it| number(it.counters.records_lacking)),
    ("records_aborted", |it| number(it.counters.records_aborted)),
    ("records_received", |it| {
        number(it.counters.records_received)
    }),
    ("records_applied", |it| number(it.counters.records_applied)),
    ("records_refused", |it| number(it.counters.records_refused)),
    ("partner_evictions", |it| {
        number(it.counters.partner_evictions)
    }),
    ("evictions_untold", |it| number(it.evictions_untold)),
    ("clock_ahead", |it| number(it.counters.clock_ahead)),
    ("clock_skew_ms", |it| or_none(it.counters.clock_skew_ms)),
    ("wire_version", |it| or_none(it.counters.wire_version)),
    ("unauthenticated_links", |it| {
        number(it.unauthenticated_links)
    }),
    ("tombstones", |it| number(it.memory.tombstones)),
    ("tombstones_dropped", |it| number(it.tombstones_dropped)),
    ("memory_used_bytes", |it| number(it.memory.used_bytes)),
    ("memory_budget_bytes", |it| number(it.memory.budget_bytes)),
    ("unfinished_bytes", |it| number(it.memory.unfinished_bytes)),
    ("unfinished_dropped", |it| number(it.unfinished_dropped)),
    ("log_lines_dropped", |_| number(logs::lines_dropped())),
];

fn word(word: &str) -> Option<String> {
    Some(word.to_owned())
}

fn number(number: impl Into<u64>) -> Option<String> {
    Some(number.into().to_string())
}

fn or_none(number: Option<impl ToString>) -> Option<String> {
    number.map_or_else(|| word(NONE), |number| Some(number.to_string()))
}

impl Snapshot<'_> {
    fn in_pair(&self, value: &str) -> Option<String> {
        word(if self.side.is_some() { value } else { NONE })
    }

    /// Changes on their way to the partner.
    fn waiting(&self) -> u64 {
        self.counters.queue_keys + self.waiting_keys + self.counters.unconfirmed_records
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            link: &self.link,
            counters: &self.counters,
            sync_pending: self.sync_pending(),
            waiting: self.waiting(),
            unprotected: self.unprotected,
            now_ms: self.now.boot_ms,
        }
    }

    /// An empty table lacks nothing on the partner's side.
    fn sync_pending(&self) -> bool {
        let table_is_empty = self.memory.live_items + self.memory.tombstones == 0;
        (self.counters.sync_pending || self.overflowed) && !table_is_empty
    }
}

/// Calls `print` with each row, in their order. `changes` is `None` on a node without a partner.
pub fn print_rows(
    status: &ReplicationStatus,
    store: &Store,
    changes: Option<&ChangeSender>,
    now: Now,
    mut print: impl FnMut(&str, &str),
) {
    // Before the link's counters: a key that leaves the queue then counts twice rather than not at
    // all.
    let waiting_keys = changes.map_or(0, |changes| changes.waiting_keys() as u64);
    let overflowed = changes.is_some_and(ChangeSender::has_overflowed);
    let memory = store.memory();
    let (state, link, counters) = status.published();
    let dropped = store.counters();
    let snapshot = Snapshot {
        node_id: status.node_id(),
        side: status.side(),
        mode: status.mode(),
        state,
        link,
        counters,
        writes: changes.map(ChangeSender::write_totals).unwrap_or_default(),
        waiting_keys,
        overflowed,
        unprotected: store.unprotected_items(now),
        now,
        memory,
        tombstones_dropped: dropped.tombstones_dropped.load(Ordering::Relaxed),
        evictions_untold: dropped.evictions_untold.load(Ordering::Relaxed),
        unfinished_dropped: dropped.unfinished_dropped.load(Ordering::Relaxed),
        unauthenticated_links: status.unauthenticated_links(),
        asks_unanswered: changes.map_or(0, ChangeSender::asks_unanswered),
    };
    for (name, value) in ROWS {
        if let Some(value) = value(&snapshot) {
            print(name, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreConfig;

    fn shown(status: &ReplicationStatus, wanted: &str) -> String {
        let store = Store::new(&StoreConfig::of_a_test());
        let mut found = None;
        print_rows(status, &store, None, Now::default(), |name, value| {
            if name == wanted {
                found = Some(value.to_owned());
            }
        });
        found.unwrap()
    }

    #[test]
    fn a_standalone_node_shows_neither_side_nor_mode_nor_link() {
        let alone = ReplicationStatus::new(String::new(), None, Mode::default());
        for name in ["side", "node_id", "mode", "link"] {
            assert_eq!(shown(&alone, name), NONE, "{name}");
        }
        assert_eq!(shown(&alone, "node_state"), "serving");
        let paired = ReplicationStatus::new("n1".to_owned(), Some(0), Mode::SemiSync);
        for (name, value) in [
            ("side", "0"),
            ("node_id", "n1"),
            ("mode", "semi-sync"),
            ("link", "down"),
        ] {
            assert_eq!(shown(&paired, name), value, "{name}");
        }
    }
}
