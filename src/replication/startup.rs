//! When a node of a pair opens its client port, and when it closes it again.
//!
//! A node starts empty, and an empty node that answers misses logs users out. So it needs a link,
//! on which it asks the partner for what it has not received yet. What it does without one depends
//! on what it knows of the partner:
//!
//! - *absent*: its host cannot be reached or refuses connections. The node serves alone after
//!   `start_alone_after`.
//! - *unresponsive*: its host accepts connections, but there is no link. Most likely the process is
//!   frozen, and what clients need is in its memory. The node waits 15 s from the first sign,
//!   whatever later attempts say.
//! - *refused*: it speaks the link's protocol, and one of the two nodes refuses the other. The port
//!   stays closed until the configuration is corrected.
//!
//! A port that opened before the sync had ended closes again when the link is lost. A port of
//! a node that has its partner's table, or that has served alone, stays open: from then on the node
//! holds writes of its clients that nobody else has.
//!
//! Pure: events and time (milliseconds of any steady clock) in, [`StartupGate::is_serving`] out.

use crate::limits::{REFUSAL_HOLDS_MS, UNRESPONSIVE_WAIT_MS};
use crate::rules::{Rule, holds};

/// The row `node_state` of `stats replication`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// The client port is closed until the partner is there.
    Starting,
    /// The client port is open.
    Serving,
}

/// What happens to a node's partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerEvent {
    /// The link is up; the partner's sync begins, and it can be asked for keys meanwhile.
    Up,
    /// The link is up, and the partner cannot be asked: it hashes keys differently.
    UpUnasked,
    /// The partner's end mark arrived: its table is here.
    SyncDone,
    /// The link is gone.
    Down,
    /// The partner's host accepts connections, but there is no link: its process is frozen, or it
    /// runs and has not linked yet.
    Unresponsive,
    /// The partner answered and refused, or was refused.
    Refused,
}

/// How a node of a pair starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartupRules {
    /// How long to wait for an absent partner before serving alone, in milliseconds; `None`: for
    /// ever.
    pub patience_ms: Option<u64>,
    /// Whether the port opens when the link comes up instead of when the sync has ended. Only
    /// for a node that asks its partner about what it does not have yet.
    pub opens_at_hello: bool,
}

/// Whether the client port of one node is open.
#[derive(Clone, Debug)]
pub struct StartupGate {
    state: NodeState,
    rules: StartupRules,
    /// The node has its partner's table or has served alone: an open port does not close again.
    stays_open: bool,
    /// Since when there has been no link; `None` while it is up.
    unlinked_since_ms: Option<u64>,
    /// The first sign since then that the partner is there.
    unresponsive_since_ms: Option<u64>,
    /// Until when the last refusal counts.
    refused_until_ms: Option<u64>,
}

impl StartupGate {
    /// A node of a pair that starts now.
    #[must_use]
    pub fn of_pair(rules: StartupRules, now_ms: u64) -> Self {
        Self {
            state: NodeState::Starting,
            rules,
            stays_open: false,
            unlinked_since_ms: Some(now_ms),
            unresponsive_since_ms: None,
            refused_until_ms: None,
        }
    }

    /// Handles an event of the partner.
    pub fn on(&mut self, event: PartnerEvent, now_ms: u64) {
        match event {
            PartnerEvent::Up | PartnerEvent::UpUnasked => {
                if holds(Rule::PortWaitsForSync) {
                    self.unlinked_since_ms = None;
                }
                self.unresponsive_since_ms = None;
                self.refused_until_ms = None;
                if self.rules.opens_at_hello && event == PartnerEvent::Up {
                    self.state = NodeState::Serving;
                }
            }
            PartnerEvent::SyncDone => {
                self.state = NodeState::Serving;
                self.stays_open = true;
            }
            PartnerEvent::Down => {
                self.unlinked_since_ms = Some(now_ms);
                if !self.stays_open {
                    self.state = NodeState::Starting;
                }
            }
            PartnerEvent::Unresponsive => {
                self.unresponsive_since_ms.get_or_insert(now_ms);
            }
            // The refused partner tries again within this time. If it does not, it is absent.
            PartnerEvent::Refused => {
                self.refused_until_ms = Some(now_ms.saturating_add(REFUSAL_HOLDS_MS));
            }
        }
    }

    /// Checks the time. True once, when the wait for the partner is over and the node starts to
    /// serve alone.
    pub fn tick(&mut self, now_ms: u64) -> bool {
        let alone = self.state == NodeState::Starting
            && self.alone_at_ms().is_some_and(|at_ms| now_ms >= at_ms);
        if alone {
            self.state = NodeState::Serving;
            self.stays_open = true;
        }
        alone
    }

    /// When the node serves alone, as far as is known now; `None`: never, or there is a link.
    fn alone_at_ms(&self) -> Option<u64> {
        let patience_ms = self.rules.patience_ms?;
        // After a refusal the whole wait for an absent partner begins again.
        let absent_since_ms = self
            .unlinked_since_ms?
            .max(self.refused_until_ms.unwrap_or(0));
        let absent_until_ms = absent_since_ms.saturating_add(patience_ms);
        let unresponsive_until_ms = self
            .unresponsive_since_ms
            .map_or(0, |since_ms| since_ms + UNRESPONSIVE_WAIT_MS);
        Some(absent_until_ms.max(unresponsive_until_ms))
    }

    /// Whether the node waits for its partner, so that it should look for signs of it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state == NodeState::Starting && self.unlinked_since_ms.is_some()
    }

    /// Starting or serving.
    #[must_use]
    pub fn state(&self) -> NodeState {
        self.state
    }

    /// Whether the client port is open.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.state == NodeState::Serving
    }
}

impl NodeState {
    /// The word in `stats replication` and in logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_SYNC_END: StartupRules = StartupRules {
        patience_ms: Some(2000),
        opens_at_hello: false,
    };
    const AT_HELLO: StartupRules = StartupRules {
        opens_at_hello: true,
        ..AT_SYNC_END
    };

    const UNRESPONSIVE: Option<u64> = Some(UNRESPONSIVE_WAIT_MS);

    fn gate(patience_ms: Option<u64>, now_ms: u64) -> StartupGate {
        let rules = StartupRules {
            patience_ms,
            ..AT_SYNC_END
        };
        StartupGate::of_pair(rules, now_ms)
    }

    /// Ticks every 100 ms; after how many milliseconds the node serves, if it does within a minute.
    fn serves_after(startup: &mut StartupGate, from_ms: u64) -> Option<u64> {
        (0..60_000).step_by(100).find(|waited_ms| {
            startup.tick(from_ms + waited_ms);
            startup.is_serving()
        })
    }

    #[test]
    fn a_node_of_a_pair_serves_once_the_sync_has_ended() {
        let mut startup = gate(Some(2000), 0);
        startup.on(PartnerEvent::Up, 100);
        let served = serves_after(&mut startup, 100);
        assert_eq!(served, None, "a long sync is no absence");
        startup.on(PartnerEvent::SyncDone, 90_000);
        assert!(startup.is_serving());
    }

    #[test]
    fn a_node_waits_the_configured_time_for_an_absent_partner() {
        assert_eq!(serves_after(&mut gate(Some(2000), 500), 500), Some(2000));
        assert_eq!(serves_after(&mut gate(Some(0), 500), 500), Some(0));
        assert_eq!(serves_after(&mut gate(None, 500), 500), None);
    }

    #[test]
    fn losing_the_partner_before_the_sync_ends_restarts_the_wait() {
        let mut startup = gate(Some(2000), 0);
        startup.on(PartnerEvent::Up, 1900);
        startup.tick(5000);
        startup.on(PartnerEvent::Down, 10_000);
        assert_eq!(serves_after(&mut startup, 10_000), Some(2000));
    }

    /// Regression: a node whose partner was frozen (its kernel accepts connections) opened after
    /// 2.1 s and answered a thousand misses for items that its partner held.
    #[test]
    fn an_unresponsive_partner_is_waited_for_15_seconds_from_the_first_sign() {
        let mut startup = gate(Some(2000), 0);
        for now_ms in (500..30_000).step_by(1000) {
            startup.on(PartnerEvent::Unresponsive, now_ms);
        }
        assert_eq!(serves_after(&mut startup, 500), UNRESPONSIVE);
        // One sign counts, although every later attempt to connect fails.
        let mut startup = gate(Some(2000), 0);
        startup.on(PartnerEvent::Unresponsive, 1900);
        assert_eq!(serves_after(&mut startup, 1900), UNRESPONSIVE);
    }

    #[test]
    fn an_unresponsive_partner_shortens_no_configured_wait() {
        for patience_ms in [None, Some(40_000)] {
            let mut startup = gate(patience_ms, 0);
            startup.on(PartnerEvent::Unresponsive, 0);
            assert_eq!(serves_after(&mut startup, 0), patience_ms);
        }
    }

    #[test]
    fn a_link_ends_the_wait_for_an_unresponsive_partner() {
        let mut startup = gate(Some(2000), 0);
        startup.on(PartnerEvent::Unresponsive, 0);
        startup.on(PartnerEvent::Up, 5000);
        startup.on(PartnerEvent::Down, 6000);
        assert_eq!(serves_after(&mut startup, 6000), Some(2000));
        // And a new sign begins a new wait.
        let mut startup = gate(Some(2000), 0);
        startup.on(PartnerEvent::Up, 5000);
        startup.on(PartnerEvent::Down, 6000);
        startup.on(PartnerEvent::Unresponsive, 7000);
        assert_eq!(serves_after(&mut startup, 7000), UNRESPONSIVE);
    }

    #[test]
    fn a_partner_that_refuses_keeps_the_port_closed() {
        let mut startup = gate(Some(2000), 0);
        for now_ms in (0..60_000).step_by(1000) {
            startup.on(PartnerEvent::Refused, now_ms);
            startup.tick(now_ms + 999);
            assert!(!startup.is_serving());
        }
        let held_until_ms = 59_000 + REFUSAL_HOLDS_MS;
        let waited_ms = serves_after(&mut startup, held_until_ms);
        assert_eq!(waited_ms, Some(2000));
    }

    #[test]
    fn a_node_that_opens_at_the_hello_closes_when_the_link_is_lost_before_the_sync_ends() {
        let mut startup = StartupGate::of_pair(AT_HELLO, 0);
        startup.on(PartnerEvent::Up, 100);
        assert!(startup.is_serving() && !startup.is_waiting());
        startup.on(PartnerEvent::Down, 1000);
        assert!(!startup.is_serving() && startup.is_waiting());
        startup.on(PartnerEvent::Unresponsive, 1500);
        assert_eq!(serves_after(&mut startup, 1500), UNRESPONSIVE);
        // Or the link comes back: open again.
        let mut startup = StartupGate::of_pair(AT_HELLO, 0);
        for now_ms in [0, 200, 400] {
            startup.on(PartnerEvent::Up, now_ms);
            assert!(startup.is_serving());
            startup.on(PartnerEvent::Down, now_ms + 100);
            assert!(!startup.is_serving());
        }
        startup.on(PartnerEvent::Up, 500);
        startup.on(PartnerEvent::SyncDone, 600);
        startup.on(PartnerEvent::Down, 700);
        assert!(startup.is_serving(), "it has the table");
    }

    /// It would close the connections of all clients until the sync has ended.
    #[test]
    fn a_node_whose_partner_cannot_be_asked_opens_when_the_sync_has_ended() {
        let mut startup = StartupGate::of_pair(AT_HELLO, 0);
        startup.on(PartnerEvent::UpUnasked, 100);
        assert_eq!(serves_after(&mut startup, 100), None);
        startup.on(PartnerEvent::SyncDone, 90_000);
        assert!(startup.is_serving());
    }

    #[test]
    fn a_node_that_has_served_alone_keeps_serving() {
        for rules in [AT_SYNC_END, AT_HELLO] {
            let mut startup = StartupGate::of_pair(rules, 0);
            assert!(startup.tick(2000));
            use PartnerEvent::{Down, Refused, Unresponsive, Up};
            for event in [Refused, Unresponsive, Up, Down] {
                startup.on(event, 2001);
                assert!(startup.is_serving() && !startup.is_waiting(), "{event:?}");
            }
        }
    }

    #[test]
    fn the_end_of_the_wait_is_reported_once() {
        let mut startup = gate(Some(0), 0);
        assert!(startup.tick(0));
        assert!(!startup.tick(1));
    }
}
