//! What arrives: every frame of the partner, and the verdicts it earns.

use super::transfer::Inbound;
use super::{Link, LinkError, LinkEvent, Phase, Refusal, RefusalKind};
use crate::replication::wire::{Answer, Frame, Lane, Record, Runs};
use crate::store::{ApplyResult, Now, OpContext, Origin, RecordHead, Store};

impl Link {
    pub(super) fn handle(
        &mut self,
        frame: Frame<'_>,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        match frame {
            Frame::Hello(hello) => return self.greeted(&hello, store, now),
            Frame::Welcome { wire_version } => return self.welcomed(wire_version),
            Frame::Refuse { code, reason } => {
                let (kind, reason) = (RefusalKind::from_code(code), reason.to_owned());
                return Err(LinkError::RefusedByPartner(Refusal { kind, reason }));
            }
            _ if self.phase != Phase::Up => {
                return Err(LinkError::Protocol("a frame before the greeting"));
            }
            Frame::Record(record) => self.record(&record, store, now)?,
            Frame::PieceStart {
                record,
                value_len_bytes,
            } => {
                self.piece_start(&record, value_len_bytes, store, now)?;
            }
            Frame::Piece { lane, bytes } => self.piece(lane, bytes, store, now)?,
            // We may have ended it ourselves, for a newer record of its key.
            Frame::PieceAbort { lane } => self.stream.inbound[lane as usize] = None,
            Frame::Verdicts(runs) => self.verdicts(runs, store, now)?,
            Frame::Promote(slots) => slots.iter().for_each(|slot| store.promote(slot, now)),
            Frame::Flush { flush_watermark } => {
                self.raise_flush_watermark(flush_watermark, store, now)?;
            }
            Frame::PassEnd => {
                self.counters.pass_received += 1;
                self.stream.room.pass_ended();
                self.event(LinkEvent::PartnerPassDone);
            }
            Frame::Room => {
                if self.stream.refused_there {
                    self.stream.pass.want();
                }
            }
            Frame::Heartbeat { boot_ms } => self.stream.partner_clock.heard(boot_ms, now),
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>, store: &Store, now: Now) -> Result<(), LinkError> {
        let version = record.head.version;
        self.absorb(version.latest(), store, now)?;
        self.end_older_inbound(record);
        let head = self.on_our_clock(record.head)?;
        let mut batch = OpContext::at(now);
        let verdict = if record.tombstone {
            store.apply_tombstone(record.key, version, &mut batch)
        } else {
            let (origin, len) = (origin(record.lane), record.value.len());
            match store.partial_item(record.key, &head, len, origin, &mut batch) {
                Ok(mut incoming) => {
                    incoming.push(record.value);
                    store.apply(incoming, origin, &mut batch)
                }
                Err(shortage) => store.refuse(record.key, version, shortage, &mut batch),
            }
        };
        self.crossed(record.key);
        self.hand_over(&batch.dirty);
        self.judged(verdict)
    }

    /// What a record says, its deadline turned into one of ours.
    fn on_our_clock(&self, head: RecordHead) -> Result<RecordHead, LinkError> {
        let ours = |ms| self.stream.partner_clock.to_ours_ms(ms);
        let deadline_ms = head
            .deadline_ms
            .map(|ms| ours(ms).ok_or(LinkError::Protocol("a record before the first heartbeat")));
        Ok(RecordHead {
            deadline_ms: deadline_ms.transpose()?,
            ..head
        })
    }

    fn piece_start(
        &mut self,
        record: &Record<'_>,
        value_len_bytes: usize,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        let version = record.head.version;
        self.absorb(version.latest(), store, now)?;
        self.end_older_inbound(record);
        let head = self.on_our_clock(record.head)?;
        if self.stream.inbound[record.lane as usize].is_some() {
            return Err(LinkError::Protocol(
                "a second record in pieces before the first ended",
            ));
        }
        let origin = origin(record.lane);
        let mut batch = OpContext::at(now);
        let incoming = store.partial_item(record.key, &head, value_len_bytes, origin, &mut batch);
        self.hand_over(&batch.dirty);
        let mut inbound = Inbound {
            key: record.key.into(),
            version,
            value_len_bytes,
            offset: 0,
            incoming,
        };
        inbound.take(record.value);
        self.stream.inbound[record.lane as usize] = Some(inbound);
        self.answer(Answer::Piece)
    }

    fn piece(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        let place = &mut self.stream.inbound[lane as usize];
        let Some(inbound) = place else {
            return Err(LinkError::Protocol("a piece without its start"));
        };
        if !inbound.take(bytes) {
            return Err(LinkError::Protocol("a piece beyond the value's length"));
        }
        if inbound.offset < inbound.value_len_bytes {
            return self.answer(Answer::Piece);
        }
        let Some(inbound) = place.take() else {
            return Ok(());
        };
        let mut batch = OpContext::at(now);
        let verdict = match inbound.incoming {
            Ok(incoming) => store.apply(incoming, origin(lane), &mut batch),
            Err(shortage) => store.refuse(&inbound.key, inbound.version, shortage, &mut batch),
        };
        self.crossed(&inbound.key);
        self.hand_over(&batch.dirty);
        self.judged(verdict)
    }

    /// A newer record of a key ends what is under way of an older one: its last piece would bring
    /// back what this one replaces. A sender ends it, too, before it sends this one.
    fn end_older_inbound(&mut self, record: &Record<'_>) {
        for place in &mut self.stream.inbound {
            let older = |inbound: &mut Inbound| {
                *inbound.key == *record.key && inbound.version < record.head.version
            };
            place.take_if(older);
        }
    }

    fn judged(&mut self, verdict: ApplyResult) -> Result<(), LinkError> {
        self.counters.records_received += 1;
        let answer = match verdict {
            ApplyResult::Applied => {
                self.counters.records_applied += 1;
                Answer::Applied
            }
            ApplyResult::Superseded(held) => Answer::Superseded(held),
            ApplyResult::NoRoom(shortage) => {
                self.counters.records_refused += 1;
                self.stream.room.refused(shortage);
                Answer::NoRoom
            }
        };
        self.answer(answer)
    }

    fn answer(&mut self, answer: Answer) -> Result<(), LinkError> {
        if self.stream.owed.push(answer) {
            Ok(())
        } else {
            Err(LinkError::Protocol(
                "more unanswered records than a link may have",
            ))
        }
    }

    fn verdicts(&mut self, runs: Runs<'_>, store: &Store, now: Now) -> Result<(), LinkError> {
        for (answer, count) in runs {
            for _ in 0..count {
                self.verdict(answer, store, now)?;
            }
        }
        Ok(())
    }

    fn verdict(&mut self, answer: Answer, store: &Store, now: Now) -> Result<(), LinkError> {
        let Some(sent) = self.stream.flight.pop() else {
            return Err(LinkError::Protocol("a verdict on nothing"));
        };
        if sent.complete == (answer == Answer::Piece) {
            return Err(LinkError::Protocol(
                "a verdict on a piece for a record, or the reverse",
            ));
        }
        match answer {
            Answer::Piece => {}
            Answer::Applied => {
                self.counters.records_confirmed += 1;
                store.confirm(sent.slot, sent.version);
            }
            Answer::Superseded(held) => {
                self.counters.records_superseded += 1;
                self.absorb(held.latest(), store, now)?;
            }
            Answer::NoRoom => {
                self.counters.records_no_room += 1;
                self.stream.refused_there = true;
            }
        }
        Ok(())
    }
}

fn origin(lane: Lane) -> Origin {
    match lane {
        Lane::Live => Origin::Live,
        Lane::Pass => Origin::Sync,
    }
}
