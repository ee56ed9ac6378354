//! Our records in pieces: how they go on, and what ends them.
//!
//! A transfer in the live stream goes to its end even if the value is touched or written again
//! meanwhile; the newer state follows it, and no other record of the key goes before. A transfer
//! of the pass gives way to the live stream, and the pass owes it from then on.

use super::Link;
use super::in_flight::Sent;
use crate::replication::wire::{Frame, Lane, PIECE_VALUE_BYTES, first_value_bytes};
use crate::store::{Item, Store};

/// Whether a record needs more than one frame.
pub(super) fn is_large(item: &Item) -> bool {
    item.value().len() > first_value_bytes(item.key())
}

impl Link {
    /// Puts the next piece of a lane's transfer on the wire, or ends the transfer if the table
    /// holds something else by now.
    pub(super) fn send_piece(&mut self, lane: Lane, store: &Store, out: &mut Vec<u8>) {
        let Some(transfer) = &mut self.stream.outgoing[lane as usize] else {
            return;
        };
        let (slot, version) = (transfer.slot, transfer.version);
        if !transfer.goes_on(lane, store.entry(slot).as_ref()) {
            return self.end_transfer(lane, out);
        }
        let before = out.len();
        let rest = &transfer.item.value()[transfer.offset..];
        let bytes = &rest[..rest.len().min(PIECE_VALUE_BYTES)];
        let complete = bytes.len() == rest.len();
        Frame::Piece { lane, bytes }.encode(out);
        transfer.offset += bytes.len();
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
        if complete {
            self.left(lane, slot);
            self.forget_transfer(lane);
        }
    }

    /// The last byte of a slot's record is on the wire.
    pub(super) fn left(&mut self, lane: Lane, slot: u64) {
        if lane == Lane::Live {
            self.stream.pass.settle(slot);
        }
    }

    /// Whether the live stream is at this slot, or will come to a large value of it.
    pub(super) fn goes_live(&mut self, slot: u64, item: &Item) -> bool {
        self.follows_transfer(slot, Some(item))
            || (is_large(item) && self.stream.dirty.contains(slot))
    }

    /// Whether the live stream is carrying an earlier state of the slot, or this one: then this
    /// one goes when that is through.
    pub(super) fn follows_transfer(&mut self, slot: u64, entry: Option<&Item>) -> bool {
        let transfer = self.stream.outgoing[Lane::Live as usize].as_mut();
        let Some(transfer) = transfer.filter(|transfer| transfer.slot == slot) else {
            return false;
        };
        transfer.again |= entry.map(Item::version) != Some(transfer.version);
        true
    }

    /// The live stream is about to carry this slot: what a client wrote is not left to a pass.
    pub(super) fn take_from_pass(&mut self, slot: u64, out: &mut Vec<u8>) {
        let transfer = self.stream.outgoing[Lane::Pass as usize].as_ref();
        if transfer.is_some_and(|transfer| transfer.slot == slot) {
            self.end_transfer(Lane::Pass, out);
        }
    }

    /// Ends what may not go on. To be called before any verdict leaves, see
    /// [`Outgoing::goes_on`](super::transfer::Outgoing::goes_on).
    pub(super) fn end_stale_transfers(&mut self, store: &Store, out: &mut Vec<u8>) {
        for lane in [Lane::Live, Lane::Pass] {
            let transfer = self.stream.outgoing[lane as usize].as_ref();
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
        for lane in [Lane::Live, Lane::Pass] {
            let transfer = self.stream.outgoing[lane as usize].as_ref();
            if transfer.is_some_and(|it| it.slot == slot && !it.goes_on(lane, entry)) {
                self.end_transfer(lane, out);
            }
        }
    }

    /// The partner's record of a key has been judged here.
    pub(super) fn crossed(&mut self, key: &[u8]) {
        for transfer in self.stream.outgoing.iter_mut().flatten() {
            transfer.crossed |= transfer.item.key() == key;
        }
    }

    fn end_transfer(&mut self, lane: Lane, out: &mut Vec<u8>) {
        self.counters.records_aborted += 1;
        Frame::PieceAbort { lane }.encode(out);
        self.forget_transfer(lane);
    }

    /// A transfer is over, at its end or before.
    fn forget_transfer(&mut self, lane: Lane) {
        let Some(transfer) = self.stream.outgoing[lane as usize].take() else {
            return;
        };
        if lane == Lane::Pass && transfer.offset < transfer.item.value().len() {
            self.stream.pass.owe(transfer.slot);
        }
        if transfer.again {
            self.hand_over(&[transfer.slot]);
        }
    }
}
