//! What each process of a pair has counted as unprotected, and how much may be missing therefore.

use std::fmt;
use std::time::Instant;

use super::notes::{Acknowledged, Life, Verdict, Write};

/// Keys that a message names.
const SHOWN_MAX: usize = 10;

/// The counter of one process.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    life: Life,
    /// When both tables were equal last.
    before: u64,
    now: u64,
    /// What was answered later is not in the count.
    asked_at: Instant,
    has_ended: bool,
}

impl Count {
    /// Of a process that has just been started.
    pub fn new(life: Life) -> Self {
        Self {
            life,
            before: 0,
            now: 0,
            asked_at: Instant::now(),
            has_ended: false,
        }
    }

    /// The process.
    pub fn life(&self) -> Life {
        self.life
    }

    /// It was asked at this time and answered this.
    pub fn update(&mut self, asked_at: Instant, now: u64) {
        self.asked_at = asked_at;
        self.now = now;
    }

    /// The process has ended.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// Both nodes hold the same: what was unprotected until now is protected.
    pub fn start_over(&mut self) {
        self.before = self.now;
    }

    /// Unprotected writes since both nodes held the same.
    pub fn growth(&self) -> u64 {
        self.now.saturating_sub(self.before)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// A key that is not as it was acknowledged.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The key.
    pub key: String,
    /// What is wrong; never [`Verdict::Right`].
    pub verdict: Verdict,
    /// The last answer; `None` if there was none.
    pub acknowledged: Option<Acknowledged>,
    /// The side that was asked, and the number of the value it has.
    pub found: (usize, Option<u64>),
}

/// Where the findings are more than the counts allow; empty if nowhere.
///
/// A process that runs holds what it acknowledged, so nothing of it may be missing anywhere. Of one
/// that has ended, so much may be as it counted. Its end may hide the count of what it answered
/// after it was asked for the last time: that is allowed, too. What was evicted is allowed to be
/// missing.
pub fn broken_promises(findings: &[Finding], counts: &[Count], evicted: u64) -> Vec<String> {
    let mut broken = Vec::new();
    let mut allowed_evictions = evicted;
    for count in counts {
        let of_life = |finding: &&Finding| {
            let last = finding.acknowledged;
            last.is_some_and(|last| last.life == count.life && !count.is_uncounted(&last))
        };
        let all: Vec<_> = findings.iter().filter(of_life).collect();
        let allowed = if count.has_ended { count.growth() } else { 0 };
        let surplus = (all.len() as u64).saturating_sub(allowed);
        let lost = all.iter().filter(|one| one.verdict == Verdict::Lost);
        let excused = surplus.min(allowed_evictions).min(lost.count() as u64);
        allowed_evictions -= excused;
        if surplus > excused {
            let Life { side, starts } = count.life;
            broken.push(format!(
                "side {side}, started {starts} times before: {} keys, {allowed} allowed:{}",
                all.len(),
                shown(all)
            ));
        }
    }
    let never: Vec<_> = findings
        .iter()
        .filter(|finding| finding.acknowledged.is_none())
        .collect();
    if !never.is_empty() {
        broken.push(format!("never acknowledged:{}", shown(never)));
    }
    broken
}

fn shown(findings: Vec<&Finding>) -> String {
    let lines = findings.into_iter().take(SHOWN_MAX);
    lines.map(|finding| format!("\n  {finding}")).collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, found) = self.found;
        let key = &self.key;
        write!(out, "{key}: side {side} has ")?;
        match found {
            Some(number) => write!(out, "value {number}")?,
            None => write!(out, "nothing")?,
        }
        match self.acknowledged.map(|last| last.write) {
            Some(Write { number, effect }) => write!(out, " after command {number}, {effect:?}"),
            None => write!(out, " and was sent nothing that was answered"),
        }
    }
}

impl Count {
    fn is_uncounted(&self, last: &Acknowledged) -> bool {
        self.has_ended && last.at >= self.asked_at
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::notes::Effect;
    use super::*;

    fn life(side: usize) -> Life {
        Life { side, starts: 0 }
    }

    fn lost(side: usize, at: Instant) -> Finding {
        Finding {
            key: "key".to_owned(),
            verdict: Verdict::Lost,
            acknowledged: Some(Acknowledged {
                write: Write {
                    number: 1,
                    effect: Effect::Value,
                },
                life: life(side),
                at,
            }),
            found: (0, None),
        }
    }

    #[test]
    fn as_much_may_be_missing_as_a_process_counted_that_has_ended() {
        let early = Instant::now();
        let mut count = Count::new(life(0));
        count.update(early + Duration::from_secs(1), 3);
        count.start_over();
        count.update(early + Duration::from_secs(2), 5);
        let findings = [lost(0, early), lost(0, early), lost(0, early)];
        // Two were unprotected since it started over; while it runs, none may be missing.
        assert_eq!(broken_promises(&findings[..1], &[count], 0).len(), 1);
        count.end();
        assert!(broken_promises(&findings[..2], &[count], 0).is_empty());
        assert_eq!(broken_promises(&findings, &[count], 0).len(), 1);
        assert!(broken_promises(&findings, &[count], 1).is_empty());
        // An eviction brings no old value back.
        let stale = findings.clone().map(|finding| Finding {
            verdict: Verdict::Stale,
            ..finding
        });
        assert_eq!(broken_promises(&stale, &[count], 1).len(), 1);
        // Another process does not answer for it.
        let mut other = Count::new(life(1));
        other.end();
        let findings = [lost(1, early)];
        assert_eq!(broken_promises(&findings, &[count, other], 0).len(), 1);
    }

    #[test]
    fn what_was_answered_after_the_last_look_at_a_process_is_not_known() {
        let asked_at = Instant::now();
        let late = [lost(0, asked_at + Duration::from_millis(1))];
        let mut count = Count::new(life(0));
        count.update(asked_at, 0);
        assert_eq!(broken_promises(&late, &[count], 0).len(), 1);
        count.end();
        assert!(broken_promises(&late, &[count], 0).is_empty());
    }

    #[test]
    fn a_value_that_nobody_acknowledged_is_wrong() {
        let mut finding = lost(0, Instant::now());
        finding.acknowledged = None;
        assert_eq!(broken_promises(&[finding], &[], 0).len(), 1);
    }
}
