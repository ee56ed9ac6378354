//! When a starting node opens its client port.
//!
//! A node starts empty, and an empty node that answers misses logs users out. So it first receives
//! the partner's table and opens when the full sync has ended. If the partner is absent, it opens
//! alone after a configured time. A partner that answers and refuses is not absent: the port stays
//! closed until the configuration is corrected. An open port stays open, because from then on the
//! node holds writes of its clients.
//!
//! Pure: events and time (milliseconds of any steady clock) in, [`StartupGate::is_serving`] out.

use crate::limits::REFUSAL_HOLDS_MS;

/// The row `node_state` of `stats replication`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// The client port is closed until the partner's table is here.
    Starting,
    /// The client port is open.
    Serving,
}

/// What happens to a node's partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerEvent {
    /// The link is up; the partner's full sync begins.
    Up,
    /// The partner's end mark arrived: its table is here.
    SyncDone,
    /// The link is gone.
    Down,
    /// The partner answered and refused, or was refused.
    Refused,
}

/// The state of one node's start.
#[derive(Clone, Debug)]
pub struct StartupGate {
    state: NodeState,
    /// How long to wait for an absent partner before serving alone; `None`: for ever.
    patience_ms: Option<u64>,
    /// Since when the partner counts as absent; `None` while the link is up.
    absent_since_ms: Option<u64>,
}

impl StartupGate {
    /// A node of a pair that starts now and waits `patience_ms` for an absent partner.
    #[must_use]
    pub fn of_pair(patience_ms: Option<u64>, now_ms: u64) -> Self {
        Self {
            state: NodeState::Starting,
            patience_ms,
            absent_since_ms: Some(now_ms),
        }
    }

    /// A node without a partner: it serves at once.
    #[must_use]
    pub fn alone() -> Self {
        Self {
            state: NodeState::Serving,
            patience_ms: None,
            absent_since_ms: None,
        }
    }

    /// Handles an event of the partner.
    pub fn on(&mut self, event: PartnerEvent, now_ms: u64) {
        match event {
            PartnerEvent::Up => self.absent_since_ms = None,
            PartnerEvent::SyncDone => self.state = NodeState::Serving,
            PartnerEvent::Down => self.absent_since_ms = Some(now_ms),
            // The refused partner tries again within this time. If it does not, it is absent.
            PartnerEvent::Refused => {
                self.absent_since_ms = Some(now_ms.saturating_add(REFUSAL_HOLDS_MS));
            }
        }
    }

    /// Checks the time. True once, when the wait for the partner is over and the node starts to
    /// serve alone.
    pub fn tick(&mut self, now_ms: u64) -> bool {
        let (Some(since_ms), Some(patience_ms)) = (self.absent_since_ms, self.patience_ms) else {
            return false;
        };
        let alone = self.state == NodeState::Starting && now_ms >= since_ms + patience_ms;
        if alone {
            self.state = NodeState::Serving;
        }
        alone
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

    /// Ticks every 100 ms; when the node began to serve, if it did within a minute.
    fn serves_at(startup: &mut StartupGate, from_ms: u64) -> Option<u64> {
        (from_ms..from_ms + 60_000).step_by(100).find(|now_ms| {
            startup.tick(*now_ms);
            startup.is_serving()
        })
    }

    #[test]
    fn a_node_without_a_partner_serves_at_once() {
        assert!(StartupGate::alone().is_serving());
    }

    #[test]
    fn a_node_of_a_pair_serves_once_the_full_sync_has_ended() {
        let mut startup = StartupGate::of_pair(Some(2000), 0);
        startup.on(PartnerEvent::Up, 100);
        assert_eq!(
            serves_at(&mut startup, 100),
            None,
            "a partner with a long full sync is not absent"
        );
        startup.on(PartnerEvent::SyncDone, 90_000);
        assert!(startup.is_serving());
    }

    #[test]
    fn a_node_waits_the_configured_time_for_an_absent_partner() {
        assert_eq!(
            serves_at(&mut StartupGate::of_pair(Some(2000), 500), 500),
            Some(2500)
        );
        assert_eq!(
            serves_at(&mut StartupGate::of_pair(Some(0), 500), 500),
            Some(500)
        );
        assert_eq!(serves_at(&mut StartupGate::of_pair(None, 500), 500), None);
    }

    #[test]
    fn losing_the_partner_before_the_full_sync_ends_restarts_the_wait() {
        let mut startup = StartupGate::of_pair(Some(2000), 0);
        startup.on(PartnerEvent::Up, 1900);
        startup.tick(5000);
        startup.on(PartnerEvent::Down, 10_000);
        assert_eq!(serves_at(&mut startup, 10_000), Some(12_000));
    }

    #[test]
    fn a_partner_that_refuses_keeps_the_port_closed() {
        let mut startup = StartupGate::of_pair(Some(2000), 0);
        for now_ms in (0..60_000).step_by(1000) {
            startup.on(PartnerEvent::Refused, now_ms);
            startup.tick(now_ms + 999);
            assert!(!startup.is_serving());
        }
        let gone_ms = 59_000 + REFUSAL_HOLDS_MS + 2000;
        assert_eq!(serves_at(&mut startup, gone_ms - 1000), Some(gone_ms));
    }

    #[test]
    fn a_serving_node_keeps_serving() {
        let mut startup = StartupGate::of_pair(Some(0), 0);
        startup.tick(0);
        for event in [PartnerEvent::Refused, PartnerEvent::Up, PartnerEvent::Down] {
            startup.on(event, 1);
            assert!(startup.is_serving(), "{event:?}");
        }
    }

    #[test]
    fn the_end_of_the_wait_is_reported_once() {
        let mut startup = StartupGate::of_pair(Some(0), 0);
        assert!(startup.tick(0));
        assert!(!startup.tick(1));
    }
}
