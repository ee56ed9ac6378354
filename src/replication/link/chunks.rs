//! Outgoing records that need several frames: how a transfer continues and what ends it.
//!
//! A transfer in the live lane is finished even if the value is touched or written again meanwhile;
//! the newer state is sent after it, and no other record of the key before it. A transfer in the
//! sync lane ends when the live lane sends the key, and the full sync defers the key.

use super::Link;
use super::in_flight::Sent;
use crate::replication::wire::{CHUNK_VALUE_BYTES, Frame, Lane, first_value_bytes};
use crate::store::{Item, Store};

/// Whether a record needs more than one frame.
pub(super) fn is_large(item: &Item) -> bool {
    item.value().len() > first_value_bytes(item.key())
}

impl Link {
    /// Sends the next chunk of a lane's transfer, or ends the transfer if it may not continue.
    pub(super) fn send_chunk(&mut self, lane: Lane, store: &Store, out: &mut Vec<u8>) {
        let Some(transfer) = &mut self.session.outgoing[lane as usize] else {
            return;
        };
        let (slot, version) = (transfer.slot, transfer.version);
        if !transfer.may_continue(lane, store.entry(slot).as_ref()) {
            return self.end_transfer(lane, out);
        }
        let before = out.len();
        let rest = &transfer.item.value()[transfer.offset..];
        let bytes = &rest[..rest.len().min(CHUNK_VALUE_BYTES)];
        let complete = bytes.len() == rest.len();
        Frame::Chunk { lane, bytes }.encode(out);
        transfer.offset += bytes.len();
        let bytes = (out.len() - before) as u32;
        self.session.in_flight.push(Sent {
            slot,
            version,
            bytes,
            lane,
            complete,
        });
        if lane == Lane::Live {
            self.session.live_since_chunk_bytes = 0;
        }
        if complete {
            self.record_sent(lane, slot);
            self.finish_transfer(lane);
        }
    }

    /// The last byte of a slot's record is on the wire: a full sync need not send it any more.
    pub(super) fn record_sent(&mut self, lane: Lane, slot: u64) {
        if lane == Lane::Live {
            self.session.full_sync.sent(slot);
        }
    }

    /// Whether the live lane sends this slot: it has a transfer of it, or a large value is queued.
    pub(super) fn goes_live(&mut self, slot: u64, item: &Item) -> bool {
        self.follows_transfer(slot, Some(item))
            || (is_large(item) && self.session.dirty.contains(slot))
    }

    /// Whether the live lane has a transfer of this slot. If the entry has changed since, its
    /// record is sent once the transfer has ended.
    pub(super) fn follows_transfer(&mut self, slot: u64, entry: Option<&Item>) -> bool {
        let transfer = self.session.outgoing[Lane::Live as usize].as_mut();
        let Some(transfer) = transfer.filter(|transfer| transfer.slot == slot) else {
            return false;
        };
        transfer.resend |= entry.map(Item::version) != Some(transfer.version);
        true
    }

    /// The live lane is about to send this slot: ends its transfer in the sync lane.
    pub(super) fn end_sync_transfer(&mut self, slot: u64, out: &mut Vec<u8>) {
        let transfer = self.session.outgoing[Lane::Sync as usize].as_ref();
        if transfer.is_some_and(|transfer| transfer.slot == slot) {
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

    fn end_transfer(&mut self, lane: Lane, out: &mut Vec<u8>) {
        self.counters.records_aborted += 1;
        Frame::ChunkAbort { lane }.encode(out);
        self.finish_transfer(lane);
    }

    /// Forgets a transfer that is finished or aborted, and schedules what must still be sent.
    fn finish_transfer(&mut self, lane: Lane) {
        let Some(transfer) = self.session.outgoing[lane as usize].take() else {
            return;
        };
        if lane == Lane::Sync && transfer.offset < transfer.item.value().len() {
            self.session.full_sync.defer(transfer.slot);
        }
        if transfer.resend {
            self.mark_dirty(&[transfer.slot]);
        }
    }
}
