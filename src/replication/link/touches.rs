//! Touches: a new deadline or other item flags of a value that the partner holds travel without the
//! value. A partner that does not hold the value any more answers *lacking*, and gets the whole
//! record.

use super::in_flight::{Sent, SentKind, Traffic};
use super::{Link, LinkError};
use crate::replication::wire::{Frame, Lane, Touch};
use crate::rules::{Rule, holds};
use crate::store::{ApplyResult, Item, Now, OpContext, RecordHead, Store};

impl Link {
    /// Whether the present state of a slot is sent as a touch. A transfer of an older state that is
    /// on its way is followed by a whole record: it may still end early.
    pub(super) fn is_touch(&self, slot: u64, item: &Item, store: &Store, now: Now) -> bool {
        let transfer = self.session.outgoing[Lane::Live as usize].as_ref();
        transfer.is_none_or(|transfer| transfer.slot != slot)
            && store.is_live(item, now)
            && (store.partner_has_value(item) || !holds(Rule::TouchNeedsValueThere))
            // It would be answered with *lacking* perhaps, and the partner takes it for the answer.
            && !(self.session.asks.owes(slot) && holds(Rule::AskBringsWholeRecords))
    }

    /// Puts a touch on the wire, in the place of the first dirty key.
    pub(super) fn send_touch(
        &mut self,
        slot: u64,
        item: &Item,
        store: &Store,
        now: Now,
        out: &mut Vec<u8>,
    ) {
        // As for a record: the flush first, whose watermark is read after the item.
        self.send_flush(store, now, out);
        let head = RecordHead::of(item);
        if head.version.timestamp < self.session.watermark_sent {
            store.confirm(slot, head.version);
            return;
        }
        let before = out.len();
        let key = item.key();
        Frame::Touch(Touch { head, key }).encode(out);
        self.counters.records_sent += 1;
        let sent = Sent {
            slot,
            version: head.version,
            bytes: (out.len() - before) as u32,
            traffic: Traffic::Small,
            kind: SentKind::Touch,
            position: self.session.dirty.popped() + 1,
        };
        self.session.in_flight.push(sent, now);
    }

    pub(super) fn on_touch(
        &mut self,
        touch: &Touch<'_>,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        let version = touch.head.version;
        self.absorb(version.latest(), store, now)?;
        // A transfer that brings the value again may go on: it is older, and is not applied.
        let head = self.on_our_clock(touch.head)?;
        let result = store.apply_touch(touch.key, &head, &mut OpContext::at(now));
        if result != ApplyResult::Lacking {
            self.partner_updated(touch.key);
        }
        self.ack_applied(result)
    }
}
