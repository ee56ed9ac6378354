//! Our records in pieces: how they go on, and what ends them.
//!
//! A transfer in the live stream goes to its end even if the value is touched or written again
//! meanwhile; the newer state follows it, and no other record of the key goes before. A transfer
//! of the pass gives way to the live stream, and the pass owes it from then on.

use super::Link;
use super::in_flight::Sent;
use crate::replication::wire::{CHUNK_VALUE_BYTES, Frame, Lane, first_value_bytes};
use crate::store::{Item, Store};

/// Whether a record needs more than one frame.
pub(super) fn is_large(item: &Item) -> bool {
    item.value().len() > first_value_bytes(item.key())
}

impl Link {
    /// Puts the next piece of a lane's transfer on the wire, or ends the transfer if the table
    /// holds something else by now.
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

    /// The last byte of a slot's record is on the wire.
    pub(super) fn record_sent(&mut self, lane: Lane, slot: u64) {
        if lane == Lane::Live {
            self.session.full_sync.sent(slot);
        }
    }

    /// Whether the live stream is at this slot, or will come to a large value of it.
    pub(super) fn goes_live(&mut self, slot: u64, item: &Item) -> bool {
        self.follows_transfer(slot, Some(item))
            || (is_large(item) && self.session.dirty.contains(slot))
    }

    /// Whether the live stream is carrying an earlier state of the slot, or this one: then this
    /// one goes when that is through.
    pub(super) fn follows_transfer(&mut self, slot: u64, entry: Option<&Item>) -> bool {
        let transfer = self.session.outgoing[Lane::Live as usize].as_mut();
        let Some(transfer) = transfer.filter(|transfer| transfer.slot == slot) else {
            return false;
        };
        transfer.resend |= entry.map(Item::version) != Some(transfer.version);
        true
    }

    /// The live stream is about to carry this slot: what a client wrote is not left to a pass.
    pub(super) fn end_sync_transfer(&mut self, slot: u64, out: &mut Vec<u8>) {
        let transfer = self.session.outgoing[Lane::Sync as usize].as_ref();
        if transfer.is_some_and(|transfer| transfer.slot == slot) {
            self.end_transfer(Lane::Sync, out);
        }
    }

    /// Ends what may not go on. To be called before any verdict leaves, see
    /// [`Outgoing::may_continue`](super::transfer::Outgoing::may_continue).
    pub(super) fn end_stale_transfers(&mut self, store: &Store, out: &mut Vec<u8>) {
        for lane in [Lane::Live, Lane::Sync] {
            let transfer = self.session.outgoing[lane as usize].as_ref();
            if let Some(slot) = transfer.map(|transfer| transfer.slot) {
                self.end_stale_transfers_of(slot, store.entry(slot).as_ref(), out);
            }
        }
    }

    /// A record of this slot is about to go: older ones under way end before it.
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

    /// The partner's record of a key has been judged here.
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

    /// A transfer is over, at its end or before.
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
