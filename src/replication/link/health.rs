//! Whether the partner acknowledges fast enough for clients to wait for it.
//!
//! A partner that stands still, or whose acks are mostly late, is *degraded*: nobody waits for it
//! until its acks have been in time for a while. That while doubles with each relapse, and halves
//! with every ten seconds of health, so that a partner that comes and goes costs ever less.

use crate::limits::{
    DEGRADED_JUDGED_MIN, DEGRADED_MS_MAX, DEGRADED_MS_MIN, HEALTHY_HALVING_MS, JUDGED_PERIOD_MS,
    STALLED_ACK_TIMEOUTS,
};

/// The judgement of one partner. It outlives a connection.
#[derive(Debug)]
pub(super) struct Health {
    ack_timeout_ms: u64,
    state: State,
    /// How long acks must be in time before the next relapse is over.
    recovery_ms: u64,
    /// When the partner last acknowledged anything, or had nothing to acknowledge.
    acked_ms: u64,
    period_began_ms: u64,
    /// Groups of writes answered in this period, and those of them that were late.
    judged: u32,
    late: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Since it recovered; `None` if it was never degraded.
    Healthy { since_ms: Option<u64> },
    /// Acks have been in time since `good_since_ms`, if they are at all.
    Degraded { good_since_ms: Option<u64> },
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody waits from now on.
    Degraded(DegradedReason),
    /// Clients wait again.
    Recovered,
}

/// Why the partner is degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DegradedReason {
    /// It acknowledged nothing for several timeouts.
    Stalled,
    /// More than half of its acks were late.
    Late,
    /// The link ended because it was silent.
    Silent,
}

impl DegradedReason {
    /// The reason as the log shows it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Stalled => "no ack for three ack_timeouts",
            Self::Late => "more than half of its acks within a second were late",
            Self::Silent => "the link ended because it was silent",
        }
    }
}

impl Health {
    /// A healthy partner. `ack_timeout_ms`: what is later is late.
    pub(super) fn new(ack_timeout_ms: u64) -> Self {
        Self {
            ack_timeout_ms,
            state: State::Healthy { since_ms: None },
            recovery_ms: DEGRADED_MS_MIN,
            acked_ms: 0,
            period_began_ms: 0,
            judged: 0,
            late: 0,
        }
    }

    pub(super) fn is_degraded(&self) -> bool {
        matches!(self.state, State::Degraded { .. })
    }

    /// A connection begins: nothing is owed on it.
    pub(super) fn connected(&mut self, now_ms: u64) {
        self.acked_ms = now_ms;
        self.begin_period(now_ms);
    }

    /// The first frame since the last ack goes on the wire.
    pub(super) fn sent_first(&mut self, now_ms: u64) {
        self.acked_ms = now_ms;
    }

    /// This process did not run for a while, so nothing is known of that time.
    pub(super) fn paused(&mut self, now_ms: u64) {
        self.connected(now_ms);
    }

    /// The partner acknowledged something.
    pub(super) fn acked(&mut self, now_ms: u64) {
        self.acked_ms = now_ms;
        if let State::Degraded { good_since_ms } = &mut self.state {
            good_since_ms.get_or_insert(now_ms);
        }
    }

    /// A group of writes that was handed over at `sent_ms` was answered by an ack, or a heartbeat
    /// was.
    pub(super) fn judge(&mut self, sent_ms: u64, now_ms: u64) {
        self.judged += 1;
        self.late += u32::from(now_ms > sent_ms + self.ack_timeout_ms);
    }

    /// What has changed by now. `in_flight`: the partner has something to acknowledge.
    pub(super) fn tick(&mut self, in_flight: bool, now_ms: u64) -> Option<Verdict> {
        let stalled_ms = STALLED_ACK_TIMEOUTS * self.ack_timeout_ms;
        let stalled = in_flight && now_ms >= self.acked_ms + stalled_ms;
        let mostly_late = 2 * self.late > self.judged;
        let period_is_over = now_ms >= self.period_began_ms + JUDGED_PERIOD_MS;
        let late = mostly_late && self.judged >= DEGRADED_JUDGED_MIN;
        match &mut self.state {
            State::Healthy { .. } if stalled => {
                return Some(self.degrade(DegradedReason::Stalled, now_ms));
            }
            State::Healthy { .. } if late => {
                return Some(self.degrade(DegradedReason::Late, now_ms));
            }
            State::Healthy { .. } => {}
            State::Degraded { good_since_ms } => {
                if stalled || (mostly_late && (period_is_over || late)) {
                    *good_since_ms = None;
                }
                let is_over = good_since_ms
                    .is_some_and(|since_ms| !mostly_late && now_ms >= since_ms + self.recovery_ms);
                if is_over {
                    self.state = State::Healthy {
                        since_ms: Some(now_ms),
                    };
                    self.begin_period(now_ms);
                    return Some(Verdict::Recovered);
                }
            }
        }
        if period_is_over {
            self.begin_period(now_ms);
        }
        None
    }

    /// Whether this process has not run for so long that acks may wait unread.
    pub(super) fn is_pause(&self, stood_still_ms: u64) -> bool {
        stood_still_ms > (STALLED_ACK_TIMEOUTS + 1) * self.ack_timeout_ms
    }

    /// When [`Self::tick`] is due at the latest, if the partner has something to acknowledge.
    pub(super) fn stalled_at_ms(&self) -> u64 {
        self.acked_ms + STALLED_ACK_TIMEOUTS * self.ack_timeout_ms
    }

    /// The link ended because the partner was silent.
    pub(super) fn silent(&mut self, now_ms: u64) -> Option<Verdict> {
        match &mut self.state {
            State::Healthy { .. } => Some(self.degrade(DegradedReason::Silent, now_ms)),
            State::Degraded { good_since_ms } => {
                *good_since_ms = None;
                None
            }
        }
    }

    fn degrade(&mut self, reason: DegradedReason, now_ms: u64) -> Verdict {
        if let State::Healthy {
            since_ms: Some(since_ms),
        } = self.state
        {
            // A relapse.
            let halvings = now_ms.saturating_sub(since_ms) / HEALTHY_HALVING_MS;
            let recovery_ms = (2 * self.recovery_ms) >> halvings.min(63);
            self.recovery_ms = recovery_ms.clamp(DEGRADED_MS_MIN, DEGRADED_MS_MAX);
        }
        self.state = State::Degraded {
            good_since_ms: None,
        };
        self.begin_period(now_ms);
        Verdict::Degraded(reason)
    }

    fn begin_period(&mut self, now_ms: u64) {
        self.period_began_ms = now_ms;
        (self.judged, self.late) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT_MS: u64 = 20;

    /// A partner that acknowledges one write a millisecond, each `delay_ms` after it was made, from
    /// `from_ms` to `until_ms`. Returns when something changed, and what.
    fn run(health: &mut Health, from_ms: u64, until_ms: u64, delay_ms: u64) -> Vec<(u64, Verdict)> {
        let mut changes = Vec::new();
        for now_ms in from_ms..until_ms {
            health.acked(now_ms);
            health.judge(now_ms.saturating_sub(delay_ms), now_ms);
            changes.extend(health.tick(true, now_ms).map(|verdict| (now_ms, verdict)));
        }
        changes
    }

    /// How long a partner that is degraded at `from_ms` must be in time.
    fn recovery_ms(health: &mut Health, from_ms: u64) -> u64 {
        let changes = run(health, from_ms, from_ms + 100_000, 1);
        let &(at_ms, Verdict::Recovered) = changes.first().unwrap() else {
            panic!("{changes:?}");
        };
        at_ms - from_ms
    }

    #[test]
    fn a_partner_that_stands_still_is_degraded_after_three_timeouts() {
        let mut health = Health::new(TIMEOUT_MS);
        health.connected(1000);
        health.sent_first(5000);
        assert_eq!(health.tick(true, 5059), None);
        assert_eq!(health.tick(false, 9000), None, "nothing is owed");
        let stalled = Some(Verdict::Degraded(DegradedReason::Stalled));
        assert_eq!(health.tick(true, 5060), stalled);
        assert!(health.is_degraded());
    }

    #[test]
    fn a_partner_that_is_mostly_late_is_degraded_and_one_that_is_sometimes_late_is_not() {
        let mut health = Health::new(TIMEOUT_MS);
        health.connected(1000);
        for now_ms in 1000..20_000 {
            health.acked(now_ms);
            let delay_ms = if now_ms.is_multiple_of(3) { 300 } else { 1 };
            health.judge(now_ms - delay_ms, now_ms);
            assert_eq!(health.tick(true, now_ms), None, "at {now_ms}");
        }
        let changes = run(&mut health, 20_000, 25_000, TIMEOUT_MS + 1);
        let late = Verdict::Degraded(DegradedReason::Late);
        let [(degraded_ms, verdict)] = changes[..] else {
            panic!("{changes:?}");
        };
        assert!(degraded_ms <= 21_000 && verdict == late, "{changes:?}");
        // The period in which it was late must end first.
        let most_ms = DEGRADED_MS_MIN + JUDGED_PERIOD_MS;
        assert!((DEGRADED_MS_MIN..most_ms).contains(&recovery_ms(&mut health, 25_000)));
    }

    #[test]
    fn a_relapse_doubles_the_recovery_and_health_halves_it() {
        let mut health = Health::new(TIMEOUT_MS);
        let mut now_ms = 1000;
        let mut recoveries = Vec::new();
        for healthy_ms in [0, 0, 0, 0, 0, 0, 0, 20_000, 90_000] {
            now_ms += healthy_ms;
            assert!(health.silent(now_ms).is_some());
            assert_eq!(health.silent(now_ms), None, "it is degraded already");
            health.connected(now_ms);
            let recovery_ms = recovery_ms(&mut health, now_ms);
            // Only healthy time counts: `recovery_ms` went on to its end.
            now_ms += recovery_ms;
            let since_ms = Some(now_ms);
            health.state = State::Healthy { since_ms };
            recoveries.push(recovery_ms / 1000);
        }
        assert_eq!(recoveries, [1, 2, 4, 8, 16, 30, 30, 15, 1]);
    }

    #[test]
    fn a_quiet_partner_recovers_by_its_heartbeats() {
        let mut health = Health::new(TIMEOUT_MS);
        health.silent(1000);
        health.connected(2000);
        let mut recovered_ms = None;
        for now_ms in (2000..5000).step_by(200) {
            health.acked(now_ms);
            health.judge(now_ms - 1, now_ms);
            if health.tick(false, now_ms) == Some(Verdict::Recovered) {
                recovered_ms = Some(now_ms);
            }
        }
        assert_eq!(recovered_ms, Some(3000));
    }

    #[test]
    fn a_pause_of_this_process_is_no_stall_of_the_partner() {
        let mut health = Health::new(TIMEOUT_MS);
        health.connected(1000);
        health.sent_first(1000);
        health.paused(9000);
        assert_eq!(health.tick(true, 9059), None);
        assert!(health.tick(true, 9060).is_some());
    }
}
