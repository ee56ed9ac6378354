//! What a node knows of its own life and of its partner's, across links: the end of the last link,
//! and the lift of what it wrote before its first.
//!
//! Each node remembers when its last link ended, on its own clock, and with which incarnation of
//! the partner, and says so in its hello. A node that has met nobody in this life and hears of an
//! incarnation that is not its own was restarted: the partner may hold what an earlier life wrote,
//! with timestamps up to that moment. Then it lifts what it holds, see [`crate::store::Lift`].
//!
//! - The lift begins before anything of the partner's hello is absorbed: all timestamps are this
//!   life's own. The partner's flush watermark is raised after it, because the partner flushed what
//!   the former life knew, and not what this one wrote.
//! - The welcome follows the lift and carries the lifted clock. A link is up once both welcomes are
//!   there, so no record meets a timestamp that is still to be lifted. Both sides send heartbeats
//!   meanwhile, so that neither takes the other for dead.
//! - If the link is cut during the lift, the lift goes on, and the next handshake waits for it. It
//!   does not begin again: this node has met its partner then, and has the partner's clock.
//! - At most one of two nodes lifts: who remembers a link has met somebody in its life. If both
//!   were restarted alone, nobody remembers, and nothing of either's former life is left to lose
//!   against. A node that dies before its link is up leaves no trace: the partner still remembers
//!   the life before.

use super::{Link, LinkError, LinkEvent};
use crate::limits::{LIFT_TURN_ENTRIES, SKEW_AGREED_MS, SKEW_ALARM_MS};
use crate::replication::wire::{Hello, LastLink};
use crate::rules::{Rule, holds};
use crate::store::{Lift, Now, Store};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// A hello of a partner was accepted.
    has_met: bool,
    /// The end of the last link.
    pub(super) last_link: Option<LastLink>,
    /// The lift that is under way.
    pub(super) lift: Option<Lift>,
    /// The wall clocks were reported to differ.
    skew_alarm: bool,
}

impl Link {
    /// Remembers the end of the connection, if a link came up on it.
    pub(super) fn note_link_end(&mut self, store: &Store) {
        let partner = self.session.partner_incarnation;
        if let Some(incarnation) = partner.filter(|_| self.session.was_up) {
            self.life.last_link = Some(LastLink {
                incarnation,
                until: store.hybrid_clock().highest(),
            });
        }
    }

    /// The partner's hello is accepted, and nothing of it is absorbed yet.
    pub(super) fn meet(&mut self, hello: &Hello<'_>, store: &Store) {
        if std::mem::replace(&mut self.life.has_met, true) {
            return;
        }
        let own = self.config.incarnation;
        if let Some(earlier) = hello.last_link.filter(|last| last.incarnation != own) {
            let lift = store.begin_lift(earlier.until, hello.wall_ms);
            self.life.lift = lift.filter(|_| holds(Rule::FormerLifeIsLifted));
        }
    }

    /// Does a part of the lift that is under way, and what waited for its end.
    pub(super) fn continue_lift(&mut self, store: &Store, now: Now) -> Result<(), LinkError> {
        let Some(lift) = &mut self.life.lift else {
            return Ok(());
        };
        if !store.lift_step(lift, LIFT_TURN_ENTRIES) {
            return Ok(());
        }
        let (distance_ms, entries) = (lift.distance_ms(), lift.entries());
        self.life.lift = None;
        self.event(LinkEvent::Lifted {
            distance_ms,
            entries,
        });
        self.welcome_when_ready(store, now)
    }

    /// Reports wall clocks that differ, and that they agree again.
    pub(super) fn compare_walls(&mut self) {
        let Some(skew_ms) = self.session.partner_wall.skew_ms() else {
            return;
        };
        let differ = match skew_ms.unsigned_abs() {
            SKEW_ALARM_MS.. => true,
            ..SKEW_AGREED_MS => false,
            _ => return,
        };
        if std::mem::replace(&mut self.life.skew_alarm, differ) != differ {
            self.event(LinkEvent::WallClocks { differ, skew_ms });
        }
    }

    /// Whether a hello of a partner was accepted in this life.
    #[cfg(test)]
    pub(crate) fn has_met(&self) -> bool {
        self.life.has_met
    }

    /// The lift that is under way.
    #[cfg(test)]
    pub(crate) fn lift(&self) -> Option<&Lift> {
        self.life.lift.as_ref()
    }
}
