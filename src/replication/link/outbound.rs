//! Outgoing frames, in order of priority: acks, notices, the live lane, the sync lane.
//!
//! [`Link::send`] shares the output between the lanes: live records go first, but after
//! [`SYNC_SHARE_BYTES`] of them a waiting full sync gets one burst of [`SYNC_BURST_BYTES`], so that
//! a busy node still finishes it. Each lane stops at its window of unacknowledged bytes.
//! A value that needs several frames is sent by [`super::chunks`].

use super::chunks::is_large;
use super::full_sync::SyncPhase;
use super::in_flight::Sent;
use super::transfer::Outgoing;
use super::{Link, LinkEvent};
use crate::limits::{HEARTBEAT_MS, PROMOTIONS_MAX, SYNC_BURST_BYTES, SYNC_SHARE_BYTES};
use crate::replication::wire::{CHUNK_VALUE_BYTES, Frame, Lane, Record, first_value_bytes};
use crate::store::{Item, Now, RecordHead, Store};

/// Whether a call put something on the wire or took a key off the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Made,
    None,
}

impl Link {
    /// Fills `out` up to about `limit` bytes (at most one frame more).
    pub(super) fn send(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        // Acks. Stale transfers end first: once the partner reads the ack of its newer record, a
        // last chunk of our older one would overwrite that record, see `Outgoing::may_continue`.
        self.end_stale_transfers(store, out);
        while !self.session.pending_acks.is_empty() && out.len() < limit {
            Frame::encode_acks(out, || self.session.pending_acks.pop_run());
        }
        // Notices.
        self.send_flush(store, out);
        self.send_space_available(store, now, out);
        self.send_promotions(now, out);
        // Records, the two lanes in turn.
        loop {
            let before = out.len();
            let live_waits = self.send_live(store, now, out, limit);
            self.send_sync_burst(store, now, out, limit);
            if out.len() >= limit || (out.len() == before && !live_waits) {
                return;
            }
        }
    }

    /// Sends live records. True if it stopped because it is the full sync's turn.
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
            if self.send_next_live(store, now, out) == Progress::None {
                return false;
            }
            self.session.live_since_sync_bytes += out.len() - before;
        }
        false
    }

    /// Sends the next chunk of the live transfer, or the record of the next dirty key. Small
    /// records overtake the chunks of a value over 1 MiB: about one chunk's worth of them between
    /// two chunks.
    fn send_next_live(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        let transfer = self.session.outgoing[Lane::Live as usize].as_ref();
        let is_chunk_due = transfer.is_some_and(|transfer| {
            transfer.keeps_order() || self.session.live_since_chunk_bytes >= CHUNK_VALUE_BYTES
        });
        if is_chunk_due {
            self.send_chunk(Lane::Live, store, out);
            return Progress::Made;
        }
        let before = out.len();
        let progress = self.send_dirty(store, now, out);
        self.session.live_since_chunk_bytes += out.len() - before;
        if progress == Progress::None && self.session.outgoing[Lane::Live as usize].is_some() {
            self.send_chunk(Lane::Live, store, out);
            return Progress::Made;
        }
        progress
    }

    /// Sends the record of the next dirty key, as the table holds it now. A second large record
    /// waits for the end of the first.
    fn send_dirty(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        let Some(slot) = self.session.dirty.front() else {
            return Progress::None;
        };
        let entry = store.entry(slot);
        self.end_stale_transfers_of(slot, entry.as_ref(), out);
        if self.follows_transfer(slot, entry.as_ref()) {
            self.session.dirty.pop();
            return Progress::Made;
        }
        if let Some(item) = entry {
            if is_large(&item) && self.session.outgoing[Lane::Live as usize].is_some() {
                return Progress::None;
            }
            self.end_sync_transfer(slot, out);
            self.send_record(Lane::Live, slot, item, store, now, out);
        }
        self.session.dirty.pop();
        Progress::Made
    }

    /// Sends up to [`SYNC_BURST_BYTES`] of the full sync, or its end mark.
    fn send_sync_burst(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        if out.len() >= limit {
            return;
        }
        // Start the walk if one was requested.
        match self.session.full_sync.begin() {
            SyncPhase::Idle => return,
            SyncPhase::Begun => self.session.refused_there = false,
            SyncPhase::Walking => {}
        }
        self.session.live_since_sync_bytes = 0;
        let limit = limit.min(out.len() + SYNC_BURST_BYTES);
        while out.len() < limit && self.session.in_flight.has_room(Lane::Sync) {
            // A value in chunks goes on before the next entry.
            if self.session.outgoing[Lane::Sync as usize].is_some() {
                self.send_chunk(Lane::Sync, store, out);
                continue;
            }
            // The walk is over and nothing is deferred.
            let Some(slot) = self.session.full_sync.next(store) else {
                Frame::SyncEnd.encode(out);
                self.session.full_sync.end();
                self.counters.pass_sent += 1;
                self.event(LinkEvent::OwnSyncDone);
                return;
            };
            // The next entry, unless the live lane carries it.
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
                // It was deferred before, so the walk is over: wait for the live lane to send it.
                return;
            }
        }
    }

    /// Puts a record on the wire, or its first chunk if it does not fit one frame.
    fn send_record(
        &mut self,
        lane: Lane,
        slot: u64,
        item: Item,
        store: &Store,
        now: Now,
        out: &mut Vec<u8>,
    ) {
        // The flush goes before the record. The watermark is read after the item, so that an item
        // written after a flush is never sent before that flush.
        self.send_flush(store, out);
        let head = RecordHead::of(&item);
        let version = head.version;
        if version.timestamp < self.session.watermark_sent {
            // The partner has the flush, and with it neither this item nor an older one.
            store.confirm(slot, version);
            return;
        }
        // An expired item is sent as a tombstone of the item's own version.
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
        // The frame.
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
        // Its bookkeeping: an ack is due, and perhaps more chunks.
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

    /// Tells the partner once that there is memory again after records were refused.
    fn send_space_available(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) {
        if self.session.space_notice.is_due(|| store.memory(), now) {
            Frame::SpaceAvailable.encode(out);
        }
    }

    /// Sends promotions in groups: a quarter of the most that may wait, or what a heartbeat's time
    /// has brought. They are hints, so they need not be on time.
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
