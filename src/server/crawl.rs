//! `lru_crawler crawl`: housekeeping looks for what is overdue at once, not when it would.

use std::sync::atomic::{AtomicU64, Ordering};

/// Asked for by clients, done by housekeeping.
#[derive(Debug, Default)]
pub(super) struct Crawl {
    asked: AtomicU64,
    done: AtomicU64,
}

impl Crawl {
    /// Asks for a crawl; false if one is under way.
    pub(super) fn ask(&self) -> bool {
        let done = self.done.load(Ordering::Acquire);
        let asked =
            self.asked
                .compare_exchange(done, done + 1, Ordering::AcqRel, Ordering::Relaxed);
        asked.is_ok()
    }

    /// Whether one is to be done; then [`Crawl::finish`] is to be called.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire) != self.done.load(Ordering::Relaxed)
    }

    pub(super) fn finish(&self) {
        self.done.fetch_add(1, Ordering::Release);
    }

    /// Crawls since the start.
    pub(super) fn count(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}
