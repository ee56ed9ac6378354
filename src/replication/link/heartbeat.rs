//! Heartbeats: a sign of life that carries both clocks, and its answer.

use super::{Link, LinkError, Phase};
use crate::limits::HEARTBEAT_MS;
use crate::replication::wire::Frame;
use crate::store::{Now, Store, Timestamp};

impl Link {
    pub(super) fn on_heartbeat(
        &mut self,
        (boot_ms, clock, wall_ms): (u64, Timestamp, u64),
        store: &Store,
        now: Now,
    ) -> Result<(), LinkError> {
        self.session.partner_clock.heard(boot_ms, now);
        self.session.partner_wall.heard(wall_ms, now);
        self.session.heartbeat_to_answer = Some(boot_ms);
        self.absorb(clock, store, now)?;
        self.compare_walls();
        Ok(())
    }

    pub(super) fn on_heartbeat_ack(&mut self, boot_ms: u64, now: Now) -> Result<(), LinkError> {
        if Some(boot_ms) > self.session.heartbeat_ms {
            return Err(LinkError::Protocol("an answer to a heartbeat to come"));
        }
        // It counts as an ack, so that a quiet partner is judged, too.
        if let Some(health) = &mut self.health {
            health.acked(now.boot_ms);
            health.judge(boot_ms, now.boot_ms);
        }
        Ok(())
    }

    /// The first of a link that is up is due at once: without it the partner cannot convert the
    /// deadlines of records.
    pub(super) fn heartbeat_due_ms(&self) -> u64 {
        let session = &self.session;
        match (session.heartbeat_ms, &self.phase) {
            (None, Phase::Up) => 0,
            (last_ms, _) => last_ms.unwrap_or(session.connected_ms) + HEARTBEAT_MS,
        }
    }

    /// Answers the partner's last heartbeat, and sends one if it is due.
    pub(super) fn send_heartbeat(&mut self, store: &Store, now: Now, out: &mut Vec<u8>) {
        if let Some(boot_ms) = self.session.heartbeat_to_answer.take() {
            Frame::HeartbeatAck { boot_ms }.encode(out);
        }
        if now.boot_ms >= self.heartbeat_due_ms() {
            self.session.heartbeat_ms = Some(now.boot_ms);
            let heartbeat = Frame::Heartbeat {
                boot_ms: now.boot_ms,
                clock: store.hybrid_clock().reading(now),
                wall_ms: now.wall_ms,
            };
            heartbeat.encode(out);
        }
    }
}
