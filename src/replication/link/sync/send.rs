//! What makes a sync due, and its frames: lists first, then what is due to the partner.

use super::sender::Step;
use crate::limits::{SYNC_TURN_ENTRIES, sizes};
use crate::replication::bucket_set::BucketSet;
use crate::replication::link::in_flight::{NO_POSITION, Sent, SentKind, Traffic};
use crate::replication::link::outbound::Progress;
use crate::replication::link::{Link, LinkEvent, Phase};
use crate::replication::wire::{Frame, Lane};
use crate::rules::{Rule, holds};
use crate::store::{Now, Store, Version};

impl Link {
    /// These dirty keys were dropped: another sync sends them.
    pub(in crate::replication::link) fn overflowed(&mut self, slots: &[u64]) {
        let mut buckets = BucketSet::default();
        buckets.extend(slots.iter().copied());
        for &slot in slots {
            self.session.asks.put_off(slot, None);
        }
        self.overflowed_in(&buckets);
    }

    /// Dirty keys in these buckets were dropped: another sync sends what the partner lacks there.
    pub fn overflowed_in(&mut self, buckets: &BucketSet) {
        self.counters.queue_overflows += 1;
        if holds(Rule::OverflowAnswersWaiters) {
            self.session.tickets.fail_all();
        }
        if !holds(Rule::OverflowRequestsSync) {
            return;
        }
        let sender = &mut self.session.sync.sender;
        match self.phase {
            Phase::Up if self.session.same_hashes => sender.request(buckets),
            // The partner has other keys in these buckets.
            Phase::Up => sender.request(&BucketSet::all()),
            _ => {}
        }
    }

    /// Whether the partner may lack an entry of the table: the link is not up, or a sync is
    /// requested, running or not acknowledged to its end.
    pub fn needs_sync(&self) -> bool {
        let session = &self.session;
        self.phase != Phase::Up
            || !session.sync.sender.is_idle()
            || session.outgoing[Lane::Sync as usize].is_some()
            || session.in_flight.carries(Traffic::Sync)
    }

    /// A new output begins: the sync may look at so many entries for it.
    pub(in crate::replication::link) fn begin_sync_turn(&mut self) {
        let sync = &mut self.session.sync;
        sync.entries_left = SYNC_TURN_ENTRIES;
        sync.is_unfinished = false;
    }

    /// Tells the partner in which buckets changes were dropped.
    pub(in crate::replication::link) fn send_unsynced(&mut self, out: &mut Vec<u8>) {
        let Some(buckets) = self.session.sync.sender.take_untold() else {
            return;
        };
        let map: Vec<u8> = buckets.words().flat_map(u64::to_le_bytes).collect();
        Frame::Unsynced(&map).encode(out);
    }

    /// Sends up to `SYNC_BURST_BYTES` of the sync, or its end mark.
    pub(in crate::replication::link) fn send_sync_burst(
        &mut self,
        store: &Store,
        now: Now,
        out: &mut Vec<u8>,
        limit: usize,
    ) {
        if out.len() >= limit {
            return;
        }
        // Also if there is nothing to send: the live lane waits until the sync has had its turn.
        self.session.live_since_sync_bytes = 0;
        let limit = limit.min(out.len() + sizes().sync_burst_bytes);
        while out.len() < limit && self.session.in_flight.has_room(Traffic::Sync) {
            // A value in chunks goes on before the next entry.
            if self.session.outgoing[Lane::Sync as usize].is_some() {
                self.send_chunk(Lane::Sync, store, now, out);
            } else if self.sync_step(store, now, out) == Progress::None {
                return;
            }
        }
    }

    /// One step of the sync. The lists come first, because the partner waits for them.
    fn sync_step(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        if self.send_list(store, now, out) == Progress::Made {
            return Progress::Made;
        }
        if self.session.sync.sender.has_equal() {
            return self.confirm_equal(store);
        }
        // Told after the sums, the partner would not list what differs.
        self.send_unsynced(out);
        if self.session.sync.sender.begin() {
            // What is refused from now on was refused in this round.
            self.session.refused_there = false;
        }
        if self.send_next_due(store, now, out) == Progress::Made {
            return Progress::Made;
        }
        if self.session.sync.entries_left == 0 {
            self.session.sync.is_unfinished = true;
            return Progress::None;
        }
        match self.session.sync.sender.advance(store) {
            Step::Wait => return Progress::None,
            Step::Looked { entries } => self.looked_at(entries),
            Step::Digests { runs, is_last } => {
                self.send_sync_frame(&runs.frame(is_last), now, out);
            }
            Step::ListDone { is_last } => {
                Frame::ListDone.encode(out);
                if is_last {
                    self.end_sync(out);
                }
            }
        }
        Progress::Made
    }

    fn end_sync(&mut self, out: &mut Vec<u8>) {
        Frame::SyncEnd.encode(out);
        self.session.sync.sender.end();
        self.counters.pass_sent += 1;
        self.event(LinkEvent::OwnSyncDone);
    }

    fn looked_at(&mut self, entries: usize) {
        let left = &mut self.session.sync.entries_left;
        *left = left.saturating_sub(entries);
    }

    /// Sends what this node holds in buckets that differ.
    fn send_list(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        let sync = &mut self.session.sync;
        match sync.receiver.next_list(store, &mut sync.entries_left) {
            Some((writer, is_last)) => {
                self.send_sync_frame(&writer.frame(is_last), now, out);
                Progress::Made
            }
            None => Progress::None,
        }
    }

    /// Sends a frame that the partner acknowledges as it does a part of a record, so that it waits
    /// for the window like a record.
    fn send_sync_frame(&mut self, frame: &Frame<'_>, now: Now, out: &mut Vec<u8>) {
        let before = out.len();
        frame.encode(out);
        let sent = Sent {
            slot: 0,
            version: Version::default(),
            bytes: (out.len() - before) as u32,
            traffic: Traffic::Sync,
            kind: SentKind::Chunk,
            position: NO_POSITION,
        };
        self.session.in_flight.push(sent, now);
    }

    /// Sends the next record that is due, unless the live lane carries it.
    fn send_next_due(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        let Some(slot) = self.session.sync.sender.next_due() else {
            return Progress::None;
        };
        let entry = store.entry(slot);
        self.end_stale_transfers_of(slot, entry.as_ref(), out);
        match entry {
            Some(item) if self.goes_live(slot, &item, now) => {
                if !self.session.sync.sender.defer(slot) {
                    // It was deferred before: wait for the live lane to send it.
                    return Progress::None;
                }
            }
            Some(item) => {
                self.session.sync.sender.sent(slot);
                self.send_record(Lane::Sync, slot, item, store, now, out);
            }
            None => self.session.sync.sender.sent(slot),
        }
        Progress::Made
    }

    /// Notes what the partner was found to hold, too.
    fn confirm_equal(&mut self, store: &Store) -> Progress {
        if self.session.sync.entries_left == 0 {
            self.session.sync.is_unfinished = true;
            return Progress::None;
        }
        let entries = self.session.sync.sender.confirm_equal(store);
        self.looked_at(entries);
        Progress::Made
    }
}
