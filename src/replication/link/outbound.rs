//! What leaves: verdicts first, then the live stream, and behind it the pass. What happens to a
//! record between its first and its last piece is told in [`super::chunks`].

use super::chunks::is_large;
use super::full_sync::SyncPhase;
use super::in_flight::Sent;
use super::transfer::Outgoing;
use super::{Link, LinkEvent};
use crate::limits::{HEARTBEAT_MS, PROMOTIONS_MAX, SYNC_BURST_BYTES, SYNC_SHARE_BYTES};
use crate::replication::wire::{CHUNK_VALUE_BYTES, Frame, Lane, Record, first_value_bytes};
use crate::store::{Item, Now, RecordHead, Store};

/// What became of an attempt to put something on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Sent,
    Nothing,
}

impl Link {
    /// Fills `out` up to about `limit` bytes.
    pub(super) fn send(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        // Before any verdict.
        self.end_stale_transfers(store, out);
        while !self.session.pending_acks.is_empty() && out.len() < limit {
            Frame::encode_acks(out, || self.session.pending_acks.pop_run());
        }
        self.send_flush(store, out);
        self.send_space_available(store, now, out);
        self.send_promotions(now, out);
        loop {
            let before = out.len();
            let live_waits = self.send_live(store, now, out, limit);
            self.send_sync_burst(store, now, out, limit);
            if out.len() >= limit || (out.len() == before && !live_waits) {
                return;
            }
        }
    }

    /// True if there may be more to send, but it is the turn of the pass.
    fn send_live(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) -> bool {
        while out.len() < limit && self.session.in_flight.has_room(Lane::Live) {
            let starved = self.session.live_since_sync_bytes >= SYNC_SHARE_BYTES;
            if starved
                && !self.session.full_sync.is_idle()
                && self.session.in_flight.has_room(Lane::Sync)
            {
                return true;
            }
            let before = out.len();
            if self.live_step(store, now, out) == Step::Nothing {
                return false;
            }
            self.session.live_since_sync_bytes += out.len() - before;
        }
        false
    }

    /// The next piece of a live record in transfer, or the next dirty key.
    fn live_step(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Step {
        let in_chunks = self.session.outgoing[Lane::Live as usize].as_ref();
        let is_due = in_chunks.is_some_and(|transfer| {
            transfer.keeps_order() || self.session.live_since_chunk_bytes >= CHUNK_VALUE_BYTES
        });
        if is_due {
            self.send_chunk(Lane::Live, store, out);
            return Step::Sent;
        }
        let before = out.len();
        let step = self.send_dirty(store, now, out);
        self.session.live_since_chunk_bytes += out.len() - before;
        if step == Step::Nothing && self.session.outgoing[Lane::Live as usize].is_some() {
            self.send_chunk(Lane::Live, store, out);
            return Step::Sent;
        }
        step
    }

    /// The record of the next dirty key, as the table holds it now. A second large record waits
    /// for the end of the first.
    fn send_dirty(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Step {
        let Some(slot) = self.session.dirty.front() else {
            return Step::Nothing;
        };
        let entry = store.entry(slot);
        self.end_stale_transfers_of(slot, entry.as_ref(), out);
        if self.follows_transfer(slot, entry.as_ref()) {
            self.session.dirty.pop();
            return Step::Sent;
        }
        if let Some(item) = entry {
            if is_large(&item) && self.session.outgoing[Lane::Live as usize].is_some() {
                return Step::Nothing;
            }
            self.end_sync_transfer(slot, out);
            self.send_record(Lane::Live, slot, item, store, now, out);
        }
        self.session.dirty.pop();
        Step::Sent
    }

    /// Up to 64 KiB of the pass, or its end mark.
    fn send_sync_burst(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        if out.len() >= limit {
            return;
        }
        match self.session.full_sync.begin() {
            SyncPhase::Idle => return,
            SyncPhase::Begun => self.session.refused_there = false,
            SyncPhase::Walking => {}
        }
        self.session.live_since_sync_bytes = 0;
        let limit = limit.min(out.len() + SYNC_BURST_BYTES);
        while out.len() < limit && self.session.in_flight.has_room(Lane::Sync) {
            if self.session.outgoing[Lane::Sync as usize].is_some() {
                self.send_chunk(Lane::Sync, store, out);
                continue;
            }
            let Some(slot) = self.session.full_sync.next(store) else {
                Frame::SyncEnd.encode(out);
                self.session.full_sync.end();
                self.counters.pass_sent += 1;
                self.event(LinkEvent::OwnSyncDone);
                return;
            };
            let entry = store.entry(slot);
            self.end_stale_transfers_of(slot, entry.as_ref(), out);
            let Some(item) = entry else {
                self.session.full_sync.sent(slot);
                continue;
            };
            if !self.goes_live(slot, &item) {
                self.session.full_sync.sent(slot);
                self.send_record(Lane::Sync, slot, item, store, now, out);
            } else if !self.session.full_sync.defer(slot) {
                // The walk is over, and the live stream has not come to it yet.
                return;
            }
        }
    }

    /// Puts a record on the wire, or its first piece.
    fn send_record(
        &mut self,
        lane: Lane,
        slot: u64,
        item: Item,
        store: &Store,
        now: Now,
        out: &mut Vec<u8>,
    ) {
        // Looked at after the item was read: a write that followed a flush shows both.
        self.send_flush(store, out);
        let head = RecordHead::of(&item);
        let version = head.version;
        if version.timestamp < self.session.watermark_sent {
            // A flush that the partner knows of has killed it, and all that it replaced.
            store.confirm(slot, version);
            return;
        }
        // What has expired is gone in the version it had.
        let tombstone = item.is_tombstone() || item.is_expired(now);
        let value = if tombstone { &[] } else { item.value() };
        let first = value.len().min(first_value_bytes(item.key()));
        let record = Record {
            lane,
            head,
            tombstone,
            key: item.key(),
            value: &value[..first],
        };
        let complete = first == value.len();
        let before = out.len();
        if complete {
            Frame::Record(record).encode(out);
        } else {
            Frame::ChunkStart {
                record,
                value_len_bytes: value.len(),
            }
            .encode(out);
        }
        let bytes = (out.len() - before) as u32;
        self.counters.records_sent += 1;
        self.session.in_flight.push(Sent {
            slot,
            version,
            bytes,
            lane,
            complete,
        });
        if complete {
            self.record_sent(lane, slot);
        } else {
            self.session.live_since_chunk_bytes = 0;
            let transfer = Outgoing::begun(slot, item, version, first);
            self.session.outgoing[lane as usize] = Some(transfer);
        }
    }

    fn send_flush(&mut self, store: &Store, out: &mut Vec<u8>) {
        let flush_watermark = store.flush_watermark();
        if flush_watermark > self.session.watermark_sent {
            self.session.watermark_sent = flush_watermark;
            Frame::Flush { flush_watermark }.encode(out);
        }
    }

    /// Having refused records, says once that there is room again.
    fn send_space_available(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) {
        if self.session.space_notice.is_due(|| store.memory(), now) {
            Frame::SpaceAvailable.encode(out);
        }
    }

    /// Promotions wait for company or for a heartbeat's time.
    fn send_promotions(&mut self, now: Now, out: &mut Vec<u8>) {
        let session = &mut self.session;
        let is_due = session.promotions.len() >= PROMOTIONS_MAX / 4
            || now.boot_ms >= session.promotions_sent_ms + HEARTBEAT_MS;
        if is_due && !session.promotions.is_empty() {
            session.promotions_sent_ms = now.boot_ms;
            Frame::encode_promotions(out, session.promotions.drain(..));
        }
    }
}
