//! How a link meets its partner, and how it ends: what [`super::life`] says, step by step.

use super::{Link, LinkError, LinkEvent};
use crate::limits::{LIFT_TURN_ENTRIES, SKEW_AGREED_MS, SKEW_ALARM_MS};
use crate::replication::wire::{Hello, LastLink};
use crate::rules::{Rule, holds};
use crate::store::{Now, Store};

impl Link {
    /// Remembers the end of the connection, if a link came up on it.
    pub(super) fn note_link_end(&mut self, store: &Store) {
        store.link_ends();
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
    pub(crate) fn lift(&self) -> Option<&crate::store::Lift> {
        self.life.lift.as_ref()
    }
}
