//! A limiter for log lines that a loop, a client or a failing resource could repeat: one line for
//! each change of state, and at most once a minute a reminder with the number of suppressed events.

use std::time::{Duration, Instant};

use crate::limits::{LOG_CHANGES_MAX, LOG_REMINDER_MS};

/// Decides whether an event is logged now. It reads no clock itself.
///
/// ```
/// # use std::time::Instant;
/// # use memtwin::logs::Repeated;
/// let mut failures = Repeated::new();
/// // In the loop:
/// if let Some(suppressed) = failures.log_now(Instant::now()) {
///     tracing::warn!(suppressed, "it failed; do this");
/// }
/// // Once it works again:
/// if let Some(suppressed) = failures.resolved() {
///     tracing::info!(suppressed, "it works again");
/// }
/// ```
#[derive(Debug, Default)]
pub struct Repeated {
    /// The start of the present minute; `None` before the first line.
    minute: Option<Instant>,
    /// Lines of this minute.
    lines: u32,
    /// Events suppressed since the last line.
    suppressed: u64,
    /// The present state was logged.
    is_known: bool,
}

impl Repeated {
    /// A limiter whose first event is logged.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            minute: None,
            lines: 0,
            suppressed: 0,
            is_known: false,
        }
    }

    /// An event has happened. `Some`: log it now, with the number of events suppressed since the
    /// last line. `None`: it was counted and is not to be logged.
    ///
    /// The first event after a change of state is logged at once, but at most [`LOG_CHANGES_MAX`]
    /// lines a minute, because a state can flap. Further events of the same state are logged when
    /// the last reminder is a minute old.
    #[must_use]
    pub fn log_now(&mut self, now: Instant) -> Option<u64> {
        let minute = Duration::from_millis(LOG_REMINDER_MS);
        let is_over = |began| now.saturating_duration_since(began) >= minute;
        if self.minute.is_none_or(is_over) {
            self.minute = Some(now);
            self.lines = 0;
        }
        let lines_max = if self.is_known { 1 } else { LOG_CHANGES_MAX };
        if self.lines >= lines_max {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        self.is_known = true;
        Some(std::mem::take(&mut self.suppressed))
    }

    /// The state has changed (another reason, another error): the next event is logged.
    pub fn changed(&mut self) {
        self.is_known = false;
    }

    /// The failure has ended. `Some`: it was logged, so log its end, too, with the number of events
    /// suppressed since. `None`: it was not logged.
    #[must_use]
    pub fn resolved(&mut self) -> Option<u64> {
        std::mem::replace(&mut self.is_known, false).then(|| std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Regression: a loop that failed ten times a second wrote ten lines a second.
    #[test]
    fn a_repeated_event_is_logged_once_and_then_once_a_minute_with_its_count() {
        let start = Instant::now();
        let mut repeated = Repeated::new();
        let logged: Vec<_> = (0..2000)
            .map(|tenth| start + SECOND / 10 * tenth)
            .filter_map(|now| repeated.log_now(now))
            .collect();
        assert_eq!(logged, [0, 599, 599, 599]);
    }

    #[test]
    fn a_change_of_state_is_logged_at_once() {
        let start = Instant::now();
        let mut repeated = Repeated::new();
        assert_eq!(repeated.log_now(start), Some(0));
        assert_eq!(repeated.log_now(start + SECOND), None);
        repeated.changed();
        assert_eq!(repeated.log_now(start + 2 * SECOND), Some(1));
        assert_eq!(repeated.log_now(start + 3 * SECOND), None);
    }

    #[test]
    fn the_end_of_a_failure_is_logged_if_the_failure_was() {
        let start = Instant::now();
        let mut repeated = Repeated::new();
        assert_eq!(repeated.resolved(), None);
        assert_eq!(repeated.log_now(start), Some(0));
        assert_eq!(repeated.log_now(start), None);
        assert_eq!(repeated.resolved(), Some(1));
        assert_eq!(repeated.resolved(), None);
        assert_eq!(repeated.log_now(start), Some(0));
    }

    /// A flapping state changes each time, and would fill the log.
    #[test]
    fn a_flapping_state_is_limited() {
        let start = Instant::now();
        let mut repeated = Repeated::new();
        let (mut begun, mut ended) = (0, 0);
        for tenth in 0..1200 {
            begun += u32::from(repeated.log_now(start + SECOND / 10 * tenth).is_some());
            ended += u32::from(repeated.resolved().is_some());
        }
        assert_eq!((begun, ended), (2 * LOG_CHANGES_MAX, 2 * LOG_CHANGES_MAX));
        let next = repeated.log_now(start + 120 * SECOND);
        assert_eq!(next, Some(600 - u64::from(LOG_CHANGES_MAX)));
    }
}
