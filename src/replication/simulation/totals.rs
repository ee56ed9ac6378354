//! Totals of what happened in the histories: tests assert that all of it did happen.

use crate::replication::link::LinkCounters;
use crate::store::Store;

/// Sums over both nodes, except the largest number of tombstones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) link_ups: u64,
    pub(super) pass_received: u64,
    pub(super) queue_overflows: u64,
    pub(super) records_superseded: u64,
    pub(super) records_no_room: u64,
    pub(super) records_aborted: u64,
    pub(super) clock_ahead: u64,
    pub(super) evictions: u64,
    /// Versions that were answered as protected, and were on the partner.
    pub(super) protected: u64,
    pub(super) most_tombstones: u64,
}

impl Totals {
    /// What happened at one node since it started.
    pub(super) fn by(link: &LinkCounters, store: &Store) -> Self {
        Self {
            link_ups: link.link_ups,
            pass_received: link.pass_received,
            queue_overflows: link.queue_overflows,
            records_superseded: link.records_superseded,
            records_no_room: link.records_no_room,
            records_aborted: link.records_aborted,
            clock_ahead: link.clock_ahead,
            evictions: store.counters().sum(|class| &class.evicted),
            protected: 0,
            most_tombstones: 0,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.link_ups += other.link_ups;
        self.pass_received += other.pass_received;
        self.queue_overflows += other.queue_overflows;
        self.records_superseded += other.records_superseded;
        self.records_no_room += other.records_no_room;
        self.records_aborted += other.records_aborted;
        self.clock_ahead += other.clock_ahead;
        self.evictions += other.evictions;
        self.protected += other.protected;
        self.most_tombstones = self.most_tombstones.max(other.most_tombstones);
    }
}
