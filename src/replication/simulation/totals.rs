//! Totals of what happened in the histories: tests assert that all of it did happen.

use crate::replication::link::LinkCounters;
use crate::store::Store;

/// Sums over both nodes, except the largest number of tombstones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) commands: u64,
    pub(super) versions: u64,
    pub(super) faults: u64,
    pub(super) link_ups: u64,
    pub(super) pass_received: u64,
    pub(super) queue_overflows: u64,
    pub(super) records_superseded: u64,
    pub(super) records_no_room: u64,
    pub(super) records_aborted: u64,
    pub(super) clock_ahead: u64,
    pub(super) evictions: u64,
    pub(super) started_alone: u64,
    /// Versions that were answered as protected, and were on the partner.
    pub(super) protected: u64,
    /// Commands that waited for the partner, and those of them that it has not answered.
    pub(super) asks: u64,
    pub(super) asks_unanswered: u64,
    pub(super) most_tombstones: u64,
}

impl Totals {
    /// Adds what happened at one process since it started.
    pub(super) fn add_node(&mut self, link: &LinkCounters, store: &Store) {
        self.link_ups += link.link_ups;
        self.pass_received += link.pass_received;
        self.queue_overflows += link.queue_overflows;
        self.records_superseded += link.records_superseded;
        self.records_no_room += link.records_no_room;
        self.records_aborted += link.records_aborted;
        self.clock_ahead += link.clock_ahead;
        self.evictions += store.counters().sum(|class| &class.evicted);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.versions += other.versions;
        self.faults += other.faults;
        self.link_ups += other.link_ups;
        self.pass_received += other.pass_received;
        self.queue_overflows += other.queue_overflows;
        self.records_superseded += other.records_superseded;
        self.records_no_room += other.records_no_room;
        self.records_aborted += other.records_aborted;
        self.clock_ahead += other.clock_ahead;
        self.evictions += other.evictions;
        self.protected += other.protected;
        self.started_alone += other.started_alone;
        self.asks += other.asks;
        self.asks_unanswered += other.asks_unanswered;
        self.most_tombstones = self.most_tombstones.max(other.most_tombstones);
    }
}
