//! Hello and welcome, and why a partner is refused.

use super::sync::Sync;
use super::{Link, LinkError, LinkEvent, Partner, Phase, Refusal, RefusalKind};
use crate::limits::{
    ADDRESS_BYTES_MAX, NODE_ID_BYTES_MAX, POLICY_BYTES_MAX, REPLACEABLE_SILENCE_MS,
    TIMESTAMP_AHEAD_ALARM_MS, TIMESTAMP_AHEAD_MAX_MS,
};
use crate::replication::wire::{Frame, Hello};
use crate::rules::{Rule, holds};
use crate::store::{Now, Store, Timestamp};

impl Link {
    /// What this node says of itself. Its clock is a fresh timestamp: above all it holds and not
    /// below its wall clock.
    pub(super) fn hello(&self, store: &Store, now: Now) -> Hello<'_> {
        Hello {
            wire_min: *self.wire_versions.start(),
            wire_max: *self.wire_versions.end(),
            side: self.config.side,
            incarnation: self.config.incarnation,
            clock: store.hybrid_clock().next(now),
            flush_watermark: store.flush_watermark(),
            node_id: cut(&self.config.node_id, NODE_ID_BYTES_MAX),
            policy: cut(&self.config.policy, POLICY_BYTES_MAX),
            listen_addr: cut(&self.config.listen_addr, ADDRESS_BYTES_MAX),
            failover_addr: cut(&self.config.failover_addr, ADDRESS_BYTES_MAX),
            wall_ms: now.wall_ms,
            last_link: self.life.last_link,
            hash_check: store.hash_check(),
        }
    }

    /// A hello as a frame, for a connection that is to become no link.
    pub fn hello_frame(&self, store: &Store, now: Now) -> Vec<u8> {
        let mut frame = Vec::new();
        Frame::Hello(self.hello(store, now)).encode(&mut frame);
        frame
    }

    /// The partner's hello: accepted and answered with a welcome, or refused.
    pub(super) fn on_hello(
        &mut self,
        hello: &Hello<'_>,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        if self.phase != Phase::Handshake(None) {
            return Err(LinkError::Protocol("a second hello"));
        }
        self.check_hello(hello).map_err(LinkError::Refused)?;
        // All timestamps are checked before the first is used.
        self.session.partner_wall.shown(hello.wall_ms);
        let until = hello.last_link.map(|last| last.until);
        let wall = Timestamp::at_wall_ms(hello.wall_ms);
        for timestamp in [hello.clock, hello.flush_watermark, wall]
            .into_iter()
            .chain(until)
        {
            self.check_ahead(timestamp, now)?;
        }
        self.meet(hello, store);
        if holds(Rule::HelloClockAbsorbed) {
            self.absorb(hello.clock, store, now)?;
        }
        self.session.partner_watermark = hello.flush_watermark;
        self.session.same_hashes = hello.hash_check == store.hash_check();
        self.session.wire_version = Some(self.highest_common(hello));
        self.session.partner_incarnation = Some(hello.incarnation);
        self.phase = Phase::Handshake(Some(Partner {
            side: hello.side,
            node_id: hello.node_id.to_owned(),
            incarnation: hello.incarnation,
            policy: hello.policy.to_owned(),
            listen_addr: hello.listen_addr.to_owned(),
            failover_addr: hello.failover_addr.to_owned(),
        }));
        self.welcome_when_ready(store, now)
    }

    /// Sends the welcome, once the partner's hello is accepted and no lift is under way.
    pub(super) fn welcome_when_ready(&mut self, store: &Store, now: Now) -> Result<(), LinkError> {
        let is_introduced = matches!(self.phase, Phase::Handshake(Some(_)));
        let Some(wire_version) = self.session.wire_version.filter(|_| is_introduced) else {
            return Ok(());
        };
        if self.session.has_welcomed || self.life.lift.is_some() {
            return Ok(());
        }
        self.session.has_welcomed = true;
        if holds(Rule::HelloWatermarkCounts) {
            self.raise_flush_watermark(self.session.partner_watermark, store, now)?;
        }
        let welcome = Frame::Welcome {
            wire_version,
            clock: store.hybrid_clock().reading(now),
        };
        welcome.encode(&mut self.session.control);
        self.up_when_welcome(store);
        Ok(())
    }

    /// Why a node that sent this hello on another connection may not replace this link. `None`: it
    /// may, because it is the same process, or this link's partner is silent or not known yet.
    pub fn refuses_replacement(&self, hello: &Hello<'_>, now: Now) -> Option<Refusal> {
        if let Err(refusal) = self.check_hello(hello) {
            return Some(refusal);
        }
        let silent_ms = now.boot_ms.saturating_sub(self.session.heard_ms);
        let linked_to = self.session.partner_incarnation?;
        if linked_to == hello.incarnation || silent_ms >= REPLACEABLE_SILENCE_MS {
            return None;
        }
        Some(Refusal {
            kind: RefusalKind::LinkedElsewhere,
            reason: format!(
                "side {} is linked to another process of side {}, and changes over when that has \
                 ended or been silent for {REPLACEABLE_SILENCE_MS} ms; if two run with side {} and \
                 this key, stop one",
                self.config.side, hello.side, hello.side
            ),
        })
    }

    /// The partner accepted our hello. Its own hello came before.
    pub(super) fn on_welcome(
        &mut self,
        wire_version: u16,
        clock: Timestamp,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        if !matches!(self.phase, Phase::Handshake(Some(_))) || self.session.is_welcome {
            return Err(LinkError::Protocol("a welcome before a hello, or a second"));
        }
        if self.session.wire_version != Some(wire_version) {
            return Err(LinkError::Protocol("a welcome to another wire version"));
        }
        self.absorb(clock, store, now)?;
        self.session.is_welcome = true;
        self.up_when_welcome(store);
        Ok(())
    }

    /// The link is up once each side has welcomed the other.
    fn up_when_welcome(&mut self, store: &Store) {
        let is_due = self.session.has_welcomed && self.session.is_welcome;
        if let Phase::Handshake(Some(partner)) = &self.phase
            && is_due
        {
            let partner = partner.clone();
            self.phase = Phase::Up;
            self.session.was_up = true;
            // Before the first record: what the partner then says is known of its present life.
            store.partner_linked(partner.incarnation);
            store.want_eviction_notices(true);
            self.session
                .tickets
                .flush_acked(self.session.watermark_sent);
            self.counters.link_ups += 1;
            store.link_begins();
            self.session.sync = Sync::begun(self.session.same_hashes);
            self.event(LinkEvent::Up { partner });
        }
    }

    /// Whether the partner is known, so that both sides may send heartbeats.
    pub(super) fn is_introduced(&self) -> bool {
        matches!(self.phase, Phase::Handshake(Some(_)) | Phase::Up)
    }

    /// Ends the link; a refusal of ours is queued for the partner.
    pub(super) fn fail(&mut self, error: &LinkError) {
        self.phase = Phase::Refused;
        let (reason, by_partner) = match error {
            LinkError::Refused(reason) => (reason, false),
            LinkError::RefusedByPartner(reason) => (reason, true),
            _ => return self.session.control.clear(),
        };
        if !by_partner {
            // After our hello, if that is not sent yet.
            let refuse = Frame::Refuse {
                code: reason.kind as u8,
                reason: &reason.reason,
            };
            refuse.encode(&mut self.session.control);
        }
        self.event(LinkEvent::Refused {
            reason: reason.clone(),
            by_partner,
        });
    }

    /// How far a timestamp of the partner is ahead of this node's wall clock, or of the partner's
    /// if this node's was never set. Refuses the partner if that is more than a year.
    fn check_ahead(&self, timestamp: Timestamp, now: Now) -> Result<u64, LinkError> {
        let wall_ms = self.session.partner_wall.known_ms(now);
        let ahead_ms = timestamp.wall_ms().saturating_sub(wall_ms);
        if ahead_ms <= TIMESTAMP_AHEAD_MAX_MS {
            return Ok(ahead_ms);
        }
        let days = ahead_ms / (24 * 60 * 60 * 1000);
        Err(LinkError::Refused(Refusal {
            kind: RefusalKind::ClockAhead,
            reason: format!(
                "a timestamp of side {} is {days} days ahead of the clock of side {}: set both \
                 clocks, then restart the node whose clock was ahead",
                1 - self.config.side,
                self.config.side
            ),
        }))
    }

    /// Absorbs a timestamp of the partner into this node's clock if it is at most a year ahead;
    /// refuses the partner otherwise.
    pub(super) fn absorb(
        &mut self,
        timestamp: Timestamp,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        let ahead_ms = self.check_ahead(timestamp, now)?;
        if ahead_ms > TIMESTAMP_AHEAD_ALARM_MS {
            self.counters.clock_ahead += 1;
            if !self.session.clock_alarm {
                self.session.clock_alarm = true;
                self.event(LinkEvent::ClockAhead { ahead_ms });
            }
        }
        store.hybrid_clock().absorb(timestamp);
        Ok(())
    }

    /// Raises the flush watermark to the partner's, if that is higher.
    pub(super) fn raise_flush_watermark(
        &mut self,
        flush_watermark: Timestamp,
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        self.absorb(flush_watermark, store, now)?;
        self.session.watermark_sent = self.session.watermark_sent.max(flush_watermark);
        self.session.tickets.flush_acked(flush_watermark);
        if store.raise_flush_watermark(flush_watermark) {
            self.event(LinkEvent::FlushRaised { flush_watermark });
        }
        Ok(())
    }

    fn check_hello(&self, hello: &Hello<'_>) -> Result<(), Refusal> {
        let refuse = |kind, reason| Err(Refusal { kind, reason });
        let lowest_common = hello.wire_min.max(*self.wire_versions.start());
        if self.highest_common(hello) < lowest_common {
            let reason = format!(
                "one node speaks wire versions {:?}, the other {:?}: upgrade the older one",
                hello.wire_min..=hello.wire_max,
                self.wire_versions
            );
            return refuse(RefusalKind::NoCommonVersion, reason);
        }
        if hello.side == self.config.side {
            let reason = format!(
                "both nodes have side {}: give one of them side {}",
                self.config.side,
                1 - self.config.side
            );
            return refuse(RefusalKind::EqualSides, reason);
        }
        Ok(())
    }

    /// The highest wire version both speak, if there is one at all.
    fn highest_common(&self, hello: &Hello<'_>) -> u16 {
        hello.wire_max.min(*self.wire_versions.end())
    }
}

/// The text, cut to the length of its field.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
