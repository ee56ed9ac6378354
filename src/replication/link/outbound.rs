//! What leaves: verdicts first, then the live stream, and behind it the pass. What happens to a
//! record between its first and its last piece is told in [`super::chunks`].

use super::chunks::is_large;
use super::full_sync::PassState;
use super::in_flight::Sent;
use super::transfer::Outgoing;
use super::{Link, LinkEvent};
use crate::limits::{HEARTBEAT_MS, PASS_CHUNK_BYTES, PASS_SHARE_BYTES, PROMOTIONS_MAX};
use crate::replication::wire::{Frame, Lane, PIECE_VALUE_BYTES, Record, first_value_bytes};
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
        while !self.stream.owed.is_empty() && out.len() < limit {
            Frame::encode_verdicts(out, || self.stream.owed.pop_run());
        }
        self.send_flush(store, out);
        self.send_room(store, now, out);
        self.send_promotions(now, out);
        loop {
            let before = out.len();
            let live_waits = self.send_live(store, now, out, limit);
            self.send_pass_chunk(store, now, out, limit);
            if out.len() >= limit || (out.len() == before && !live_waits) {
                return;
            }
        }
    }

    /// True if there may be more to send, but it is the turn of the pass.
    fn send_live(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) -> bool {
        while out.len() < limit && self.stream.flight.has_room(Lane::Live) {
            let starved = self.stream.live_since_pass_bytes >= PASS_SHARE_BYTES;
            if starved && !self.stream.pass.is_idle() && self.stream.flight.has_room(Lane::Pass) {
                return true;
            }
            let before = out.len();
            if self.live_step(store, now, out) == Step::Nothing {
                return false;
            }
            self.stream.live_since_pass_bytes += out.len() - before;
        }
        false
    }

    /// The next piece of a live record in transfer, or the next dirty key.
    fn live_step(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Step {
        let in_pieces = self.stream.outgoing[Lane::Live as usize].as_ref();
        let is_due = in_pieces.is_some_and(|transfer| {
            transfer.keeps_order() || self.stream.live_since_piece_bytes >= PIECE_VALUE_BYTES
        });
        if is_due {
            self.send_piece(Lane::Live, store, out);
            return Step::Sent;
        }
        let before = out.len();
        let step = self.send_dirty(store, now, out);
        self.stream.live_since_piece_bytes += out.len() - before;
        if step == Step::Nothing && self.stream.outgoing[Lane::Live as usize].is_some() {
            self.send_piece(Lane::Live, store, out);
            return Step::Sent;
        }
        step
    }

    /// The record of the next dirty key, as the table holds it now. A second large record waits
    /// for the end of the first.
    fn send_dirty(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Step {
        let Some(slot) = self.stream.dirty.front() else {
            return Step::Nothing;
        };
        let entry = store.entry(slot);
        self.end_stale_transfers_of(slot, entry.as_ref(), out);
        if self.follows_transfer(slot, entry.as_ref()) {
            self.stream.dirty.pop();
            return Step::Sent;
        }
        if let Some(item) = entry {
            if is_large(&item) && self.stream.outgoing[Lane::Live as usize].is_some() {
                return Step::Nothing;
            }
            self.take_from_pass(slot, out);
            self.send_record(Lane::Live, slot, item, store, now, out);
        }
        self.stream.dirty.pop();
        Step::Sent
    }

    /// Up to 64 KiB of the pass, or its end mark.
    fn send_pass_chunk(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        if out.len() >= limit {
            return;
        }
        match self.stream.pass.begin() {
            PassState::Idle => return,
            PassState::Begun => self.stream.refused_there = false,
            PassState::Walking => {}
        }
        self.stream.live_since_pass_bytes = 0;
        let limit = limit.min(out.len() + PASS_CHUNK_BYTES);
        while out.len() < limit && self.stream.flight.has_room(Lane::Pass) {
            if self.stream.outgoing[Lane::Pass as usize].is_some() {
                self.send_piece(Lane::Pass, store, out);
                continue;
            }
            let Some(slot) = self.stream.pass.next(store) else {
                Frame::PassEnd.encode(out);
                self.stream.pass.end();
                self.counters.pass_sent += 1;
                self.event(LinkEvent::OwnPassDone);
                return;
            };
            let entry = store.entry(slot);
            self.end_stale_transfers_of(slot, entry.as_ref(), out);
            let Some(item) = entry else {
                self.stream.pass.settle(slot);
                continue;
            };
            if !self.goes_live(slot, &item) {
                self.stream.pass.settle(slot);
                self.send_record(Lane::Pass, slot, item, store, now, out);
            } else if !self.stream.pass.owe(slot) {
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
        if version.timestamp < self.stream.watermark_sent {
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
            Frame::PieceStart {
                record,
                value_len_bytes: value.len(),
            }
            .encode(out);
        }
        let bytes = (out.len() - before) as u32;
        self.counters.records_sent += 1;
        self.stream.flight.push(Sent {
            slot,
            version,
            bytes,
            lane,
            complete,
        });
        if complete {
            self.left(lane, slot);
        } else {
            self.stream.live_since_piece_bytes = 0;
            let transfer = Outgoing::begun(slot, item, version, first);
            self.stream.outgoing[lane as usize] = Some(transfer);
        }
    }

    fn send_flush(&mut self, store: &Store, out: &mut Vec<u8>) {
        let flush_watermark = store.flush_watermark();
        if flush_watermark > self.stream.watermark_sent {
            self.stream.watermark_sent = flush_watermark;
            Frame::Flush { flush_watermark }.encode(out);
        }
    }

    /// Having refused records, says once that there is room again.
    fn send_room(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) {
        if self.stream.room.is_due(|| store.memory(), now) {
            Frame::Room.encode(out);
        }
    }

    /// Promotions wait for company or for a heartbeat's time.
    fn send_promotions(&mut self, now: Now, out: &mut Vec<u8>) {
        let stream = &mut self.stream;
        let is_due = stream.promotions.len() >= PROMOTIONS_MAX / 4
            || now.boot_ms >= stream.promotions_sent_ms + HEARTBEAT_MS;
        if is_due && !stream.promotions.is_empty() {
            stream.promotions_sent_ms = now.boot_ms;
            Frame::encode_promotions(out, stream.promotions.drain(..));
        }
    }
}
