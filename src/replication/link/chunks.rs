//! Outgoing records that need several frames: how a transfer continues and what ends it.
//!
//! Large values of the live lane wait in a queue of their own, so that small records overtake them.
//! A transfer in the live lane is finished even if the value is touched or replaced by another
//! large one meanwhile; the newer state is sent after it, and no other record of the key before it.
//! A small value or a removal ends it. A transfer in the sync lane ends when the live lane sends
//! the key, and the sync defers the key.

use super::Link;
use super::in_flight::{NO_POSITION, Sent, SentKind, Traffic};
use super::outbound::Progress;
use super::transfer::is_large;
use crate::replication::wire::{Frame, Lane, chunk_value_bytes};
use crate::rules::{Rule, holds};
use crate::store::{Item, Now, Store};

impl Link {
    /// Sends the next chunk of a lane's transfer, or ends the transfer if it may not continue.
    pub(super) fn send_chunk(&mut self, lane: Lane, store: &Store, now: Now, out: &mut Vec<u8>) {
        let Some(transfer) = &mut self.session.outgoing[lane as usize] else {
            return;
        };
        let (slot, version) = (transfer.slot, transfer.version);
        if !transfer.may_continue(lane, store.entry(slot).as_ref()) {
            return self.end_transfer(lane, out);
        }
        let before = out.len();
        let rest = &transfer.item.value()[transfer.offset..];
        let bytes = &rest[..rest.len().min(chunk_value_bytes())];
        let complete = bytes.len() == rest.len();
        Frame::Chunk { lane, bytes }.encode(out);
        transfer.offset += bytes.len();
        let bytes = (out.len() - before) as u32;
        let sent = Sent {
            slot,
            version,
            bytes,
            traffic: Traffic::of_record(lane, false),
            kind: SentKind::of_part(complete),
            position: NO_POSITION,
        };
        self.session.in_flight.push(sent, now);
        if lane == Lane::Live {
            self.session.chunk_sent();
        }
        if complete {
            self.record_sent(lane, slot);
            self.finish_transfer(lane);
        }
    }

    /// The last byte of a slot's record is on the wire: a sync need not send it any more.
    pub(super) fn record_sent(&mut self, lane: Lane, slot: u64) {
        if lane == Lane::Live {
            self.session.sync.sender.sent(slot);
        }
    }

    /// Whether the live lane sends this slot: it has a transfer of it, or a large value is queued.
    pub(super) fn goes_live(&mut self, slot: u64, item: &Item, now: Now) -> bool {
        self.follows_transfer(slot, Some(item))
            || (is_large(item, now) && self.session.dirty.contains(slot))
            || self.session.bulk.contains(slot)
    }

    /// Whether the live lane has a transfer of this slot. If the entry has changed since, its
    /// record is sent once the transfer has ended.
    pub(super) fn follows_transfer(&mut self, slot: u64, entry: Option<&Item>) -> bool {
        let transfer = self.session.outgoing[Lane::Live as usize].as_mut();
        let Some(transfer) = transfer.filter(|transfer| transfer.slot == slot) else {
            return false;
        };
        if entry.map(Item::version) == Some(transfer.version) {
            let version = transfer.version;
            self.session.tickets.transfer_begun(slot, version);
        } else {
            transfer.resend = true;
        }
        true
    }

    /// Begins or continues the transfer of a large live value, if there is one and it may be sent.
    pub(super) fn send_bulk(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) -> Progress {
        if !self.session.in_flight.has_room(Traffic::Bulk) || self.session.bulk_sent {
            return Progress::None;
        }
        if self.session.outgoing[Lane::Live as usize].is_some() {
            self.send_chunk(Lane::Live, store, now, out);
            return Progress::Made;
        }
        let Some(slot) = self.session.bulk.front() else {
            return Progress::None;
        };
        self.session.bulk.pop();
        match store.entry(slot).filter(|item| is_large(item, now)) {
            Some(item) => {
                self.end_sync_transfer(slot, out);
                self.send_record(Lane::Live, slot, item, store, now, out);
                match &self.session.outgoing[Lane::Live as usize] {
                    Some(begun) => self.session.tickets.transfer_begun(slot, begun.version),
                    // A flush has gone before it, and nothing else is sent.
                    None => {
                        let position = self.session.dirty.popped();
                        self.session.tickets.read_small(slot, position);
                    }
                }
            }
            // It has changed or expired since, and takes a place among the small records.
            None => self.mark_dirty(&[slot]),
        }
        Progress::Made
    }

    /// Whether a large live value waits or is on its way.
    pub(super) fn has_bulk(&self) -> bool {
        self.session.outgoing[Lane::Live as usize].is_some() || !self.session.bulk.is_empty()
    }

    /// The live lane is about to send this slot: ends its transfer in the sync lane.
    pub(super) fn end_sync_transfer(&mut self, slot: u64, out: &mut Vec<u8>) {
        let transfer = self.session.outgoing[Lane::Sync as usize].as_ref();
        let has_one = transfer.is_some_and(|transfer| transfer.slot == slot);
        if has_one && holds(Rule::LiveEndsSyncTransfer) {
            self.end_transfer(Lane::Sync, out);
        }
    }

    /// Ends the transfers that may not continue. Must be called before any ack is sent, see
    /// [`Outgoing::may_continue`](super::transfer::Outgoing::may_continue).
    pub(super) fn end_stale_transfers(&mut self, store: &Store, out: &mut Vec<u8>) {
        for lane in [Lane::Live, Lane::Sync] {
            let transfer = self.session.outgoing[lane as usize].as_ref();
            if let Some(slot) = transfer.map(|transfer| transfer.slot) {
                self.end_stale_transfers_of(slot, store.entry(slot).as_ref(), out);
            }
        }
    }

    /// Ends the transfers of a slot that may not continue, before a record of it is sent.
    pub(super) fn end_stale_transfers_of(
        &mut self,
        slot: u64,
        entry: Option<&Item>,
        out: &mut Vec<u8>,
    ) {
        for lane in [Lane::Live, Lane::Sync] {
            let transfer = self.session.outgoing[lane as usize].as_ref();
            if transfer.is_some_and(|it| it.slot == slot && !it.may_continue(lane, entry)) {
                self.end_transfer(lane, out);
            }
        }
    }

    /// The partner's record of a key was applied or refused here.
    pub(super) fn partner_updated(&mut self, key: &[u8]) {
        for transfer in self.session.outgoing.iter_mut().flatten() {
            transfer.partner_updated |= transfer.item.key() == key;
        }
    }

    /// A small value has replaced the large one that the live lane is sending: ends the transfer.
    pub(super) fn end_replaced_transfer(&mut self, slot: u64, out: &mut Vec<u8>) {
        let transfer = self.session.outgoing[Lane::Live as usize].as_mut();
        if let Some(transfer) = transfer.filter(|transfer| transfer.slot == slot) {
            transfer.resend = false;
            self.end_transfer(Lane::Live, out);
        }
    }

    fn end_transfer(&mut self, lane: Lane, out: &mut Vec<u8>) {
        let transfer = self.session.outgoing[lane as usize].as_ref();
        if let (Some(transfer), Lane::Live) = (transfer, lane) {
            let (slot, version) = (transfer.slot, transfer.version);
            self.session.tickets.transfer_aborted(slot, version);
        }
        self.counters.records_aborted += 1;
        Frame::ChunkAbort { lane }.encode(out);
        self.finish_transfer(lane);
    }

    /// Forgets a transfer that is finished or aborted, and schedules what must still be sent.
    fn finish_transfer(&mut self, lane: Lane) {
        let Some(transfer) = self.session.outgoing[lane as usize].take() else {
            return;
        };
        let is_cut = transfer.offset < transfer.item.value().len();
        if lane == Lane::Sync && is_cut && holds(Rule::SyncEndWaitsForDeferred) {
            self.session.sync.sender.defer(transfer.slot);
        }
        let is_asked_for = || self.session.asks.owes(transfer.slot);
        if transfer.resend && holds(Rule::ChangedTransferIsSentAgain) {
            self.send_again(transfer.slot);
        } else if lane == Lane::Live && is_cut && is_asked_for() {
            // What has replaced it may still be in the change queue.
            self.send_again(transfer.slot);
        }
    }

    /// The answers to asks for this slot wait for its record, too.
    fn send_again(&mut self, slot: u64) {
        self.mark_dirty(&[slot]);
        let position = self.session.dirty.inserted();
        let is_dirty = self.session.dirty.contains(slot);
        self.session
            .asks
            .put_off(slot, is_dirty.then_some(position));
    }
}
