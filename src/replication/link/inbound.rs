//! Incoming frames: each is handled here, and each record or chunk is acknowledged.

use super::in_flight::{NO_POSITION, Sent, SentKind, Traffic};
use super::transfer::Inbound;
use super::{Link, LinkError, Phase, Refusal, RefusalKind, Session};
use crate::replication::wire::{Ack, Frame, Lane, Record, Runs};
use crate::rules::{Rule, holds};
use crate::store::{ApplyResult, Now, OpContext, Origin, RecordHead, Store};

impl Link {
    pub(super) fn handle(
        &mut self,
        frame: Frame<'_>,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        match frame {
            Frame::Hello(hello) => return self.on_hello(&hello, store, now),
            Frame::Welcome {
                wire_version,
                clock,
            } => return self.on_welcome(wire_version, clock, store, now),
            Frame::Refuse { code, reason } => {
                let (kind, reason) = (RefusalKind::from_code(code), reason.to_owned());
                return Err(LinkError::RefusedByPartner(Refusal { kind, reason }));
            }
            Frame::Heartbeat {
                boot_ms,
                clock,
                wall_ms,
            } if self.is_introduced() => {
                self.on_heartbeat((boot_ms, clock, wall_ms), store, now)?;
            }
            Frame::HeartbeatAck { boot_ms } if self.is_introduced() => {
                self.on_heartbeat_ack(boot_ms, now)?;
            }
            _ if self.phase != Phase::Up => {
                return Err(LinkError::Protocol("a frame before the handshake"));
            }
            Frame::Record(record) => self.on_record(&record, store, now)?,
            Frame::Touch(touch) => self.on_touch(&touch, store, now)?,
            Frame::ChunkStart {
                record,
                value_len_bytes,
            } => {
                self.on_chunk_start(&record, value_len_bytes, store, now)?;
            }
            Frame::Chunk { lane, bytes } => self.on_chunk(lane, bytes, store, now)?,
            // It may have ended here already, for a newer record of its key.
            Frame::ChunkAbort { lane } => self.session.inbound[lane as usize] = None,
            Frame::Acks(runs) => self.on_acks(runs, store, now)?,
            Frame::Promote(slots) => slots.iter().for_each(|slot| store.promote(slot, now)),
            Frame::Evicted(evictions) => self.on_evictions(evictions, store),
            Frame::Flush { flush_watermark } => {
                self.raise_flush_watermark(flush_watermark, store, now)?;
                self.push_ack(Ack::Applied)?;
            }
            Frame::Digests(digests) => self.on_digests(&digests, store)?,
            Frame::List(list) => self.on_list(&list)?,
            Frame::ListDone => self.on_list_done(store)?,
            Frame::Unsynced(map) => self.on_unsynced(map, store),
            Frame::SyncEnd => self.on_sync_end(store)?,
            Frame::Ask(slots) => self.on_ask(slots, store)?,
            Frame::Asked { is_answered } => self.on_asked(is_answered)?,
            Frame::SpaceAvailable => {
                if self.session.refused_there && holds(Rule::SpaceRequestsSync) {
                    self.session.sync.sender.request_all();
                }
            }
            // Handled above, whether the link is up or not.
            Frame::Heartbeat { .. } | Frame::HeartbeatAck { .. } => {}
        }
        Ok(())
    }

    fn on_record(&mut self, record: &Record<'_>, store: &Store, now: Now) -> Result<(), LinkError> {
        let version = record.head.version;
        if holds(Rule::RecordTimestampsAbsorbed) {
            self.absorb(version.latest(), store, now)?;
        }
        self.end_older_inbound(record);
        let head = self.on_our_clock(record.head)?;
        let mut context = OpContext::at(now);
        let result = if record.tombstone {
            if self.session.sync.sender.compares() {
                self.session.sync.sender.lacks(store.slot_of(record.key));
            }
            store.apply_tombstone(record.key, version, &mut context)
        } else {
            let (origin, len) = (origin(record.lane), record.value.len());
            match store.partial_item(record.key, &head, len, origin, &mut context) {
                Ok(mut partial) => {
                    partial.push(record.value);
                    store.apply(partial, origin, &mut context)
                }
                Err(reason) => store.refuse(record.key, version, reason, &mut context),
            }
        };
        self.partner_updated(record.key);
        self.mark_evicted(&context);
        self.ack_applied(result)
    }

    /// The head of a record, its deadline converted to this node's clock.
    pub(super) fn on_our_clock(&self, head: RecordHead) -> Result<RecordHead, LinkError> {
        let ours = |ms| match self.session.partner_clock.to_ours_ms(ms) {
            Some(_) if !holds(Rule::DeadlinesAreConverted) => Some(ms),
            converted => converted,
        };
        let deadline_ms = head
            .deadline_ms
            .map(|ms| ours(ms).ok_or(LinkError::Protocol("a record before the first heartbeat")));
        Ok(RecordHead {
            deadline_ms: deadline_ms.transpose()?,
            ..head
        })
    }

    fn on_chunk_start(
        &mut self,
        record: &Record<'_>,
        value_len_bytes: usize,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        let version = record.head.version;
        if holds(Rule::RecordTimestampsAbsorbed) {
            self.absorb(version.latest(), store, now)?;
        }
        self.end_older_inbound(record);
        let head = self.on_our_clock(record.head)?;
        if self.session.inbound[record.lane as usize].is_some() {
            return Err(LinkError::Protocol(
                "a second record in chunks before the first ended",
            ));
        }
        let origin = origin(record.lane);
        let mut context = OpContext::at(now);
        let partial = store.partial_item(record.key, &head, value_len_bytes, origin, &mut context);
        self.mark_evicted(&context);
        let mut inbound = Inbound {
            key: record.key.into(),
            version,
            value_len_bytes,
            offset: 0,
            partial,
        };
        inbound.take(record.value);
        self.session.inbound[record.lane as usize] = Some(inbound);
        self.push_ack(Ack::Chunk)
    }

    fn on_chunk(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        let place = &mut self.session.inbound[lane as usize];
        let Some(inbound) = place else {
            return Err(LinkError::Protocol("a chunk without its start"));
        };
        if !inbound.take(bytes) {
            return Err(LinkError::Protocol("a chunk beyond the value's length"));
        }
        if inbound.offset < inbound.value_len_bytes {
            return self.push_ack(Ack::Chunk);
        }
        let Some(inbound) = place.take() else {
            return Ok(());
        };
        let mut context = OpContext::at(now);
        let result = match inbound.partial {
            Ok(partial) => store.apply(partial, origin(lane), &mut context),
            Err(reason) => store.refuse(&inbound.key, inbound.version, reason, &mut context),
        };
        self.partner_updated(&inbound.key);
        self.mark_evicted(&context);
        self.ack_applied(result)
    }

    /// The partner must be sent what was evicted for its record.
    fn mark_evicted(&mut self, context: &OpContext) {
        if holds(Rule::EvictionsForRecordsAreSent) {
            self.mark_dirty(&context.dirty);
        }
    }

    /// A newer record of a key ends an older one that is partly received: its last chunk would
    /// bring back what the newer one replaces. The sender aborts it, too, before it sends this one.
    fn end_older_inbound(&mut self, record: &Record<'_>) {
        for place in &mut self.session.inbound {
            let older = |inbound: &mut Inbound| {
                *inbound.key == *record.key && inbound.version < record.head.version
            };
            place.take_if(older);
        }
    }

    pub(super) fn ack_applied(&mut self, result: ApplyResult) -> Result<(), LinkError> {
        self.counters.records_received += 1;
        let ack = match result {
            ApplyResult::Applied => {
                self.counters.records_applied += 1;
                Ack::Applied
            }
            ApplyResult::Superseded(held) => Ack::Superseded(held),
            ApplyResult::Lacking => Ack::Lacking,
            ApplyResult::NoRoom(reason) => {
                self.counters.records_refused += 1;
                self.session.space_notice.refused(reason);
                if holds(Rule::NoRoomIsAnswered) {
                    Ack::NoRoom
                } else {
                    Ack::Applied
                }
            }
        };
        self.push_ack(ack)
    }

    pub(super) fn push_ack(&mut self, ack: Ack) -> Result<(), LinkError> {
        if self.session.pending_acks.push(ack) {
            Ok(())
        } else {
            Err(LinkError::Protocol(
                "more unacknowledged records than a link may have",
            ))
        }
    }

    fn on_acks(&mut self, runs: Runs<'_>, store: &Store, now: Now) -> Result<(), LinkError> {
        let answered = self.session.tickets.answers().len();
        for (ack, count) in runs {
            for _ in 0..count {
                self.on_ack(ack, store, now)?;
            }
        }
        if let Some(health) = &mut self.health {
            health.acked(now.boot_ms);
            for answer in &self.session.tickets.answers()[answered..] {
                if !answer.ticket.is_large {
                    health.judge(answer.ticket.sent_ms, now.boot_ms);
                }
            }
        }
        Ok(())
    }

    fn on_ack(&mut self, ack: Ack, store: &Store, now: Now) -> Result<(), LinkError> {
        let Some(sent) = self.session.in_flight.pop(now) else {
            return Err(LinkError::Protocol("an ack without a record"));
        };
        let fits = match sent.kind {
            SentKind::Record => !matches!(ack, Ack::Chunk | Ack::Lacking),
            SentKind::Tombstone => matches!(ack, Ack::Applied | Ack::Superseded(_)),
            SentKind::Touch => !matches!(ack, Ack::Chunk | Ack::NoRoom),
            SentKind::Chunk => ack == Ack::Chunk,
            SentKind::Flush => ack == Ack::Applied,
        };
        if !fits {
            return Err(LinkError::Protocol("an ack that does not fit its frame"));
        }
        self.answer_tickets(&sent, ack);
        match ack {
            Ack::Chunk => {}
            Ack::Applied if sent.kind == SentKind::Flush => {}
            Ack::Applied => {
                self.counters.records_confirmed += 1;
                if sent.kind == SentKind::Tombstone {
                    store.confirm(sent.slot, sent.version);
                } else {
                    store.confirm_item(sent.slot, sent.version);
                }
            }
            Ack::Superseded(held) => {
                self.counters.records_superseded += 1;
                if held <= sent.version {
                    // It has removed it since.
                    self.session.sync.sender.lacks(sent.slot);
                }
                store.superseded(sent.slot, sent.version, held);
                if holds(Rule::SupersededTimestampsAbsorbed) {
                    self.absorb(held.latest(), store, now)?;
                }
            }
            Ack::Lacking => {
                self.counters.records_lacking += 1;
                self.session.sync.sender.lacks(sent.slot);
                store.refused_there(sent.slot, sent.version);
                // Now it goes as a whole.
                if holds(Rule::LackingSendsRecord) {
                    self.mark_dirty(&[sent.slot]);
                }
            }
            Ack::NoRoom => {
                self.counters.records_no_room += 1;
                self.session.sync.sender.lacks(sent.slot);
                store.refused_there(sent.slot, sent.version);
                self.session.refused_there = true;
                if !holds(Rule::NoRoomConfirmsNothing) {
                    store.confirm(sent.slot, sent.version);
                }
            }
        }
        Ok(())
    }
}

impl Link {
    /// Answers the groups of writes that waited for this ack.
    fn answer_tickets(&mut self, sent: &Sent, ack: Ack) {
        let session = &mut self.session;
        let protected = match ack {
            Ack::NoRoom => !holds(Rule::NoRoomProtectsNothing),
            ack => ack != Ack::Lacking,
        };
        match sent.kind {
            SentKind::Chunk => return,
            SentKind::Flush => session.tickets.flush_acked(sent.version.timestamp),
            SentKind::Record if sent.traffic == Traffic::Bulk => {
                session
                    .tickets
                    .transfer_acked(sent.slot, sent.version, protected);
            }
            SentKind::Record | SentKind::Touch | SentKind::Tombstone => {}
        }
        if sent.position != NO_POSITION {
            if !protected {
                session.tickets.refused(sent.position, sent.slot);
            }
            session.tickets.acked(sent.position);
        }
        session.settle_tickets();
    }
}

impl Session {
    /// Answers groups whose keys needed no frame, once nothing before them is on the wire.
    pub(super) fn settle_tickets(&mut self) {
        if !self.in_flight.carries_positions() {
            self.tickets.acked(self.dirty.popped());
        }
    }
}

fn origin(lane: Lane) -> Origin {
    match lane {
        Lane::Live => Origin::Live,
        Lane::Sync => Origin::Sync,
    }
}
