//! Outgoing frames, in order of priority: acks, notices, the live lane, the sync lane.
//!
//! [`Link::send`] shares the output between the lanes: live records go first, but after
//! `SYNC_SHARE_BYTES` of them a waiting sync gets one burst, see [`super::sync`], so that a busy
//! node still finishes it. Each lane stops at its window of unacknowledged bytes.
//! A value that needs several frames is sent by [`super::chunks`]; in the live lane at most one of
//! its frames is in each output, and small records go first.

use super::dirty::Inserted;
use super::in_flight::{NO_POSITION, Sent, SentKind, Traffic};
use super::transfer::{Outgoing, is_large};
use super::{Link, Session};
use crate::limits::{HEARTBEAT_MS, sizes};
use crate::replication::wire::{Frame, Lane, Record, chunk_value_bytes, first_value_bytes};
use crate::rules::{Rule, holds};
use crate::store::{Item, Now, RecordHead, Store, Version};

/// Whether a call put something on the wire or took a key off the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Made,
    None,
}

impl Link {
    /// Fills `out` up to about `limit` bytes (at most one frame more).
    pub(super) fn send(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        self.session.bulk_sent = false;
        self.begin_sync_turn();
        // Acks. Stale transfers end first: once the partner reads the ack of its newer record, a
        // last chunk of our older one would overwrite that record, see `Outgoing::may_continue`.
        if holds(Rule::TransfersEndBeforeAcks) {
            self.end_stale_transfers(store, out);
        }
        while !self.session.pending_acks.is_empty() && out.len() < limit {
            Frame::encode_acks(out, || self.session.pending_acks.pop_run());
        }
        // Notices.
        self.send_unsynced(out);
        self.send_asks(out);
        self.send_asked(out);
        if holds(Rule::FlushIsSent) && self.session.in_flight.has_place() {
            self.send_flush(store, now, out);
        }
        self.send_space_available(store, now, out);
        self.send_promotions(now, out);
        self.send_evictions(store, out, limit);
        // Records, the two lanes in turn.
        loop {
            let before = out.len();
            let live_waits = self.send_live(store, now, out, limit);
            self.send_sync_burst(store, now, out, limit);
            if out.len() >= limit || (out.len() == before && !live_waits) {
                break;
            }
        }
        self.send_asked(out);
        self.session.settle_tickets();
    }

    /// Sends live records. True if it stopped because it is the sync's turn.
    fn send_live(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) -> bool {
        while out.len() < limit && self.session.in_flight.has_room(Traffic::Small) {
            let starved = self.session.live_since_sync_bytes >= sizes().sync_share_bytes;
            if starved
                && !self.session.sync.is_idle()
                && self.session.in_flight.has_room(Traffic::Sync)
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

    /// Sends the record of the next dirty key, or a frame of a large value if there is none or
    /// about one frame of small records has gone before.
    fn send_next_live(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        if self.session.live_since_chunk_bytes >= chunk_value_bytes()
            && self.send_bulk(store, now, out) == Progress::Made
        {
            return Progress::Made;
        }
        if self.is_ordered_by_bulk() {
            return self.send_bulk(store, now, out);
        }
        let before = out.len();
        let progress = self.send_dirty(store, now, out);
        if self.has_bulk() {
            self.session.live_since_chunk_bytes += out.len() - before;
        }
        match progress {
            Progress::Made => progress,
            Progress::None => self.send_bulk(store, now, out),
        }
    }

    /// Whether small records wait for a large value that was written before them. In `async` mode
    /// a session of up to a mebibyte must arrive before the removal of its lock; in `semi-sync` a
    /// client has the answer to the one before it writes the other.
    fn is_ordered_by_bulk(&self) -> bool {
        let transfer = self.session.outgoing[Lane::Live as usize].as_ref();
        self.health.is_none()
            && (transfer.is_some_and(Outgoing::keeps_order) || !self.session.bulk.is_empty())
    }

    /// Sends the record of the next dirty key, as the table holds it now. A large one is left to
    /// [`Link::send_bulk`].
    fn send_dirty(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        let Some(slot) = self.session.dirty.front() else {
            return Progress::None;
        };
        let entry = store.entry(slot);
        self.end_stale_transfers_of(slot, entry.as_ref(), out);
        let position = self.session.dirty.popped() + 1;
        let touched = |it: &Item| self.is_touch(slot, it, store, now);
        let is_touch = entry.as_ref().is_some_and(touched);
        let large = entry.as_ref().filter(|it| !is_touch && is_large(it, now));
        if let Some(item) = large {
            // A large value has replaced what a group of small ones wrote: it comes later.
            if !store.is_protected(item) {
                self.session.tickets.refused(position, slot);
            }
            if !self.follows_transfer(slot, entry.as_ref())
                && self.session.bulk.insert(slot) == Inserted::Full
            {
                self.overflowed(&[slot]);
            }
            self.session.dirty.pop();
            return Progress::Made;
        }
        self.end_replaced_transfer(slot, out);
        self.session.tickets.read_small(slot, position);
        match entry {
            Some(item) if is_touch => self.send_touch(slot, &item, store, now, out),
            Some(item) => {
                self.end_sync_transfer(slot, out);
                self.send_record(Lane::Live, slot, item, store, now, out);
            }
            // Evicted, perhaps with a touch that the partner has not.
            None => self.session.tickets.refused(position, slot),
        }
        self.session.dirty.pop();
        Progress::Made
    }

    /// Puts a record on the wire, or its first chunk if it does not fit one frame.
    pub(super) fn send_record(
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
        self.send_flush(store, now, out);
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
        let frame = Sent {
            slot,
            version,
            bytes,
            traffic: Traffic::of_record(lane, complete),
            kind: match tombstone {
                true => SentKind::Tombstone,
                false => SentKind::of_part(complete),
            },
            position: match (lane, complete) {
                (Lane::Live, true) => self.session.dirty.popped() + 1,
                _ => NO_POSITION,
            },
        };
        self.session.in_flight.push(frame, now);
        if complete {
            self.record_sent(lane, slot);
        } else {
            if lane == Lane::Live {
                self.session.chunk_sent();
            }
            let transfer = Outgoing::begun(slot, item, version, first);
            self.session.outgoing[lane as usize] = Some(transfer);
        }
    }

    pub(super) fn send_flush(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) {
        let flush_watermark = store.flush_watermark();
        if flush_watermark > self.session.watermark_sent {
            self.session.watermark_sent = flush_watermark;
            let before = out.len();
            Frame::Flush { flush_watermark }.encode(out);
            let sent = Sent {
                slot: 0,
                version: Version::written(flush_watermark),
                bytes: (out.len() - before) as u32,
                traffic: Traffic::Small,
                kind: SentKind::Flush,
                position: self.session.dirty.popped(),
            };
            self.session.in_flight.push(sent, now);
        }
    }

    /// Tells the partner once that there is memory again after records were refused.
    fn send_space_available(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) {
        // It must not overtake the ack of what was refused: the partner would not know of that yet.
        let may_overtake = !self.session.pending_acks.is_empty();
        if !may_overtake && self.session.space_notice.is_due(|| store.memory(), now) {
            Frame::SpaceAvailable.encode(out);
        }
    }

    /// Sends promotions in groups: a quarter of the most that may wait, or what a heartbeat's time
    /// has brought. They are hints, so they need not be on time.
    fn send_promotions(&mut self, now: Now, out: &mut Vec<u8>) {
        let session = &mut self.session;
        let is_due = session.promotions.len() >= sizes().promotions_max / 4
            || now.boot_ms >= session.promotions_sent_ms + HEARTBEAT_MS;
        if is_due && !session.promotions.is_empty() {
            session.promotions_sent_ms = now.boot_ms;
            Frame::encode_promotions(out, session.promotions.drain(..));
        }
    }
}

impl Session {
    /// A frame of a large live value is in the output.
    pub(super) fn chunk_sent(&mut self) {
        self.live_since_chunk_bytes = 0;
        self.bulk_sent = true;
    }
}
