//! What `lru_crawler` is running: a search for expired items, or a dump. One at a time, as in
//! memcached.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::DUMP_STALLED_MS;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Crawler {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    run: Option<Run>,
    starts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Housekeeping searches for expired items now, not at its next interval.
    Expiry,
    /// The dump with this number; when it came on last, in boot-time milliseconds.
    Dump { number: u64, advanced_ms: u64 },
}

impl State {
    /// Starts a run unless there is one. A dump whose client has not read for long is one no more.
    fn start(&mut self, run: Run, now_ms: u64) -> bool {
        match self.run {
            Some(Run::Expiry) => return false,
            Some(Run::Dump { advanced_ms, .. })
                if now_ms.saturating_sub(advanced_ms) < DUMP_STALLED_MS =>
            {
                return false;
            }
            Some(Run::Dump { .. }) | None => {}
        }
        self.run = Some(run);
        self.starts += 1;
        true
    }
}

impl Crawler {
    /// Asks housekeeping for a search; false if something is under way.
    pub(crate) fn ask_for_expiry(&self, now_ms: u64) -> bool {
        self.state.lock().start(Run::Expiry, now_ms)
    }

    /// Whether a search is asked for; then [`Self::finish_expiry`] is to be called.
    pub(crate) fn is_asked_for_expiry(&self) -> bool {
        self.state.lock().run == Some(Run::Expiry)
    }

    pub(crate) fn finish_expiry(&self) {
        self.state.lock().run = None;
    }

    /// Starts a dump; `None` if something is under way.
    pub(crate) fn begin_dump(self: &Arc<Self>, now_ms: u64) -> Option<DumpTurn> {
        let mut state = self.state.lock();
        let number = state.starts;
        let run = Run::Dump {
            number,
            advanced_ms: now_ms,
        };
        state.start(run, now_ms).then(|| DumpTurn {
            crawler: Arc::clone(self),
            number,
        })
    }

    /// Runs since the start, and whether one is under way.
    pub(crate) fn counts(&self) -> (u64, bool) {
        let state = self.state.lock();
        (state.starts, state.run.is_some())
    }
}

/// The right to dump, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct DumpTurn {
    crawler: Arc<Crawler>,
    number: u64,
}

impl DumpTurn {
    /// Reports that the dump makes progress; false if another dump has taken its turn.
    pub(crate) fn advance(&self, now_ms: u64) -> bool {
        match &mut self.crawler.state.lock().run {
            Some(Run::Dump {
                number,
                advanced_ms,
            }) if *number == self.number => {
                *advanced_ms = now_ms;
                true
            }
            _ => false,
        }
    }
}

impl Drop for DumpTurn {
    fn drop(&mut self) {
        let run = &mut self.crawler.state.lock().run;
        if matches!(run, Some(Run::Dump { number, .. }) if *number == self.number) {
            *run = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_under_way_at_a_time() {
        let crawler = Arc::new(Crawler::default());
        assert!(crawler.ask_for_expiry(0) && crawler.is_asked_for_expiry());
        assert!(crawler.begin_dump(u64::MAX).is_none());
        crawler.finish_expiry();
        let turn = crawler.begin_dump(0).unwrap();
        assert!(!crawler.is_asked_for_expiry() && !crawler.ask_for_expiry(1));
        assert!(turn.advance(5));
        drop(turn);
        assert_eq!(crawler.counts(), (2, false));
    }

    #[test]
    fn a_dump_that_is_not_read_is_overtaken_and_takes_nothing_from_the_next() {
        let crawler = Arc::new(Crawler::default());
        let stalled = crawler.begin_dump(0).unwrap();
        assert!(crawler.begin_dump(DUMP_STALLED_MS - 1).is_none());
        let next = crawler.begin_dump(DUMP_STALLED_MS).unwrap();
        assert!(!stalled.advance(DUMP_STALLED_MS));
        drop(stalled);
        assert!(next.advance(DUMP_STALLED_MS));
    }
}
