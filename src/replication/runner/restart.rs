//! The row `safe_to_restart`: whether this node can stop now and cost nobody a session.

use super::status::LinkState;
use crate::limits::RESTART_LAG_MS;
use crate::replication::link::LinkCounters;
use crate::store::UnprotectedItems;

/// What the answer follows from.
pub(super) struct Standing<'a> {
    pub(super) link: &'a LinkState,
    pub(super) counters: &'a LinkCounters,
    /// The partner may lack anything of the table.
    pub(super) sync_pending: bool,
    /// Changes on their way to the partner.
    pub(super) waiting: u64,
    pub(super) unprotected: UnprotectedItems,
    pub(super) now_ms: u64,
}

/// For how many milliseconds the partner has not confirmed some change; 0 if none waits, `None` if
/// that is not known.
pub(super) fn lag_ms(counters: &LinkCounters, waiting: u64, now_ms: u64) -> Option<u64> {
    match counters.confirmed_up_to_ms {
        _ if waiting == 0 => Some(0),
        confirmed_ms => confirmed_ms.map(|confirmed_ms| now_ms.saturating_sub(confirmed_ms)),
    }
}

impl Standing<'_> {
    /// `yes`; `yes, except N items`, which the partner has refused or evicted; or `no` and why.
    pub(super) fn safe_to_restart(&self) -> String {
        let UnprotectedItems {
            items,
            oldest_age_ms,
        } = self.unprotected;
        match self.obstacle() {
            Some(obstacle) => format!("no: {obstacle}"),
            // The oldest is on its way.
            None if oldest_age_ms <= RESTART_LAG_MS => "yes".to_owned(),
            None => match items.saturating_sub(self.waiting).max(1) {
                1 => "yes, except 1 item".to_owned(),
                items => format!("yes, except {items} items"),
            },
        }
    }

    fn obstacle(&self) -> Option<&'static str> {
        match self.link {
            LinkState::Down => return Some("there is no link to the partner"),
            LinkState::Refused(_) => return Some("the link is refused"),
            LinkState::Up => {}
        }
        if self.sync_pending {
            return Some("the partner does not have the whole table yet");
        }
        if self.counters.degraded {
            return Some("the partner is too slow");
        }
        let lag_ms = lag_ms(self.counters, self.waiting, self.now_ms);
        let is_behind = lag_ms.is_none_or(|lag_ms| lag_ms > RESTART_LAG_MS);
        is_behind.then_some("changes wait for the partner")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 100_000;

    fn standing<'a>(link: &'a LinkState, counters: &'a LinkCounters) -> Standing<'a> {
        Standing {
            link,
            counters,
            sync_pending: false,
            waiting: 0,
            unprotected: UnprotectedItems::default(),
            now_ms: NOW_MS,
        }
    }

    #[test]
    fn a_node_whose_partner_has_everything_may_restart() {
        let counters = LinkCounters::default();
        assert_eq!(standing(&LinkState::Up, &counters).safe_to_restart(), "yes");
    }

    #[test]
    fn each_obstacle_is_named() {
        let (up, counters) = (LinkState::Up, LinkCounters::default());
        let refused = LinkState::Refused("the same side".to_owned());
        let degraded = LinkCounters {
            degraded: true,
            ..counters
        };
        let behind = LinkCounters {
            confirmed_up_to_ms: Some(NOW_MS - RESTART_LAG_MS - 1),
            ..counters
        };
        let syncing = Standing {
            sync_pending: true,
            ..standing(&up, &counters)
        };
        let unconfirmed = |counters| Standing {
            waiting: 5,
            ..standing(&up, counters)
        };
        for (standing, why) in [
            (standing(&LinkState::Down, &counters), "no link"),
            (standing(&refused, &counters), "refused"),
            (syncing, "whole table"),
            (standing(&up, &degraded), "too slow"),
            (unconfirmed(&behind), "changes wait"),
            (unconfirmed(&counters), "changes wait"),
        ] {
            let said = standing.safe_to_restart();
            assert!(said.starts_with("no: ") && said.contains(why), "{said}");
        }
    }

    #[test]
    fn what_is_held_once_is_counted_apart_from_what_is_on_its_way() {
        let (up, counters) = (LinkState::Up, LinkCounters::default());
        let counters = LinkCounters {
            confirmed_up_to_ms: Some(NOW_MS - 100),
            ..counters
        };
        let said = |items, oldest_age_ms| {
            let unprotected = UnprotectedItems {
                items,
                oldest_age_ms,
            };
            let standing = Standing {
                waiting: 5,
                unprotected,
                ..standing(&up, &counters)
            };
            standing.safe_to_restart()
        };
        assert_eq!(said(5, 10), "yes");
        assert_eq!(said(8, RESTART_LAG_MS + 1), "yes, except 3 items");
        assert_eq!(said(6, RESTART_LAG_MS + 1), "yes, except 1 item");
    }
}
