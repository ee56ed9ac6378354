//! What leaves: verdicts first, then the live stream, and behind it the pass.

use super::pass::PassState;
use super::transfer::Outgoing;
use super::{Link, LinkEvent};
use crate::limits::{HEARTBEAT_MS, PASS_CHUNK_BYTES, PASS_SHARE_BYTES, PROMOTIONS_MAX};
use crate::replication::link::flight::Sent;
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
        // Before any verdict: once the partner knows that its newer record of a key was applied
        // here, it may forget that record, and the last piece of our older one would then bring
        // back what it had replaced.
        self.end_stale_transfers(store, out);
        while !self.stream.owed.is_empty() && out.len() < limit {
            Frame::encode_verdicts(out, || self.stream.owed.pop_run());
        }
        self.send_flush(store, out);
        self.send_room(store, now, out);
        self.send_promotions(now, out);
        loop {
            let before = out.len();
            self.send_live(store, now, out, limit);
            self.send_pass_chunk(store, now, out, limit);
            if out.len() == before || out.len() >= limit {
                return;
            }
        }
    }

    fn send_live(&mut self, store: &Store, now: Now, out: &mut Vec<u8>, limit: usize) {
        while out.len() < limit && self.stream.flight.has_room(Lane::Live) {
            let starved = self.stream.live_since_pass_bytes >= PASS_SHARE_BYTES;
            if starved && !self.stream.pass.is_idle() && self.stream.flight.has_room(Lane::Pass) {
                return;
            }
            let before = out.len();
            if self.live_step(store, now, out) == Step::Nothing {
                return;
            }
            self.stream.live_since_pass_bytes += out.len() - before;
        }
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
        if let Some(item) = entry {
            let is_large = item.value().len() > first_value_bytes(item.key());
            if is_large && self.stream.outgoing[Lane::Live as usize].is_some() {
                return Step::Nothing;
            }
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
            if let Some(item) = store.entry(slot) {
                self.end_stale_transfers_of(slot, Some(&item), out);
                self.send_record(Lane::Pass, slot, item, store, now, out);
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
        let head = RecordHead::of(&item, now);
        let version = head.version;
        if version.stamp < self.stream.floor_sent {
            // A flush that the partner knows of has killed it, and all that it replaced.
            store.confirm(slot, version);
            return;
        }
        // What has expired is gone in the version it had.
        let tombstone = item.is_tombstone() || head.remaining_ms == Some(0);
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
        if !complete {
            self.stream.live_since_piece_bytes = 0;
            self.stream.outgoing[lane as usize] = Some(Outgoing {
                slot,
                item,
                version,
                offset: first,
            });
        }
    }

    /// Puts the next piece of a lane's transfer on the wire, or ends the transfer if the table
    /// holds something else by now.
    fn send_piece(&mut self, lane: Lane, store: &Store, out: &mut Vec<u8>) {
        let Some(transfer) = &mut self.stream.outgoing[lane as usize] else {
            return;
        };
        let (slot, version) = (transfer.slot, transfer.version);
        if !transfer.is_current(store.entry(slot).as_ref()) {
            return self.end_transfer(lane, out);
        }
        let before = out.len();
        let rest = &transfer.item.value()[transfer.offset..];
        let bytes = &rest[..rest.len().min(PIECE_VALUE_BYTES)];
        let complete = bytes.len() == rest.len();
        Frame::Piece { lane, bytes }.encode(out);
        transfer.offset += bytes.len();
        if complete {
            self.stream.outgoing[lane as usize] = None;
        }
        let bytes = (out.len() - before) as u32;
        self.stream.flight.push(Sent {
            slot,
            version,
            bytes,
            lane,
            complete,
        });
        if lane == Lane::Live {
            self.stream.live_since_piece_bytes = 0;
        }
    }

    fn end_stale_transfers(&mut self, store: &Store, out: &mut Vec<u8>) {
        for lane in [Lane::Live, Lane::Pass] {
            let stale = self.stream.outgoing[lane as usize]
                .as_ref()
                .is_some_and(|transfer| !transfer.is_current(store.entry(transfer.slot).as_ref()));
            if stale {
                self.end_transfer(lane, out);
            }
        }
    }

    /// A record of this slot is about to go: older ones under way end before it.
    fn end_stale_transfers_of(&mut self, slot: u64, entry: Option<&Item>, out: &mut Vec<u8>) {
        for lane in [Lane::Live, Lane::Pass] {
            let stale = self.stream.outgoing[lane as usize]
                .as_ref()
                .is_some_and(|transfer| transfer.slot == slot && !transfer.is_current(entry));
            if stale {
                self.end_transfer(lane, out);
            }
        }
    }

    fn end_transfer(&mut self, lane: Lane, out: &mut Vec<u8>) {
        if self.stream.outgoing[lane as usize].take().is_some() {
            self.counters.records_aborted += 1;
            Frame::PieceAbort { lane }.encode(out);
        }
    }

    fn send_flush(&mut self, store: &Store, out: &mut Vec<u8>) {
        let floor = store.floor();
        if floor > self.stream.floor_sent {
            self.stream.floor_sent = floor;
            Frame::Flush { floor }.encode(out);
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
