//! When a node that refused records reports that it has memory again.

use crate::limits::{SPACE_NOTICE_DOUBLINGS_MAX, SPACE_NOTICE_INTERVAL_MS};
use crate::store::{Memory, Now, RefuseReason};

/// The records refused for want of memory since the last report. A report makes the partner run a
/// sync, so it is sent only when that would bring something.
#[derive(Debug, Default)]
pub(super) struct SpaceNotice {
    /// Bytes of the smallest refused record, which is the first to fit.
    smallest_bytes: Option<u64>,
    /// When the last report was made.
    sent_ms: u64,
    /// A record was refused since the partner's last sync ended.
    refused_since_sync: bool,
    /// Syncs in a row in which a record was refused.
    syncs_refused: u32,
}

impl SpaceNotice {
    /// A record was refused. One over `-I` does not count: it never fits.
    pub(super) fn refused(&mut self, reason: RefuseReason) {
        if let RefuseReason::Memory { bytes } = reason {
            let smallest = self.smallest_bytes.map_or(bytes, |least| least.min(bytes));
            self.smallest_bytes = Some(smallest);
            self.refused_since_sync = true;
        }
    }

    /// The partner's sync has ended. As long as records are refused in each, the time between
    /// two reports doubles.
    pub(super) fn sync_ended(&mut self) {
        self.syncs_refused = match std::mem::take(&mut self.refused_since_sync) {
            true => self.syncs_refused + 1,
            false => 0,
        };
    }

    /// Whether to report now: one of the refused records fits and 5 % of memory are free. The 5 %
    /// keep a node at its limit from asking for one record at a time.
    pub(super) fn is_due(&mut self, memory: impl FnOnce() -> Memory, now: Now) -> bool {
        let Some(smallest_bytes) = self.smallest_bytes else {
            return false;
        };
        let doublings = self.syncs_refused.saturating_sub(1);
        let interval_ms = SPACE_NOTICE_INTERVAL_MS << doublings.min(SPACE_NOTICE_DOUBLINGS_MAX);
        if now.boot_ms < self.sent_ms + interval_ms {
            return false;
        }
        let memory = memory();
        let fits = memory.used_bytes.saturating_add(smallest_bytes) <= memory.budget_bytes;
        let is_due = fits && memory.used_bytes <= memory.budget_bytes / 20 * 19;
        if is_due {
            self.smallest_bytes = None;
            self.sent_ms = now.boot_ms;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_doubles_while_every_sync_brings_refused_records() {
        let mut notice = SpaceNotice::default();
        let mut now = Now::of(1 << 20, 0);
        let empty = || Memory {
            budget_bytes: 1000,
            ..Memory::default()
        };
        let mut waited_ms = Vec::new();
        for _ in 0..9 {
            notice.refused(RefuseReason::Memory { bytes: 100 });
            notice.sync_ended();
            let start_ms = now.boot_ms;
            while !notice.is_due(empty, now) {
                now.boot_ms += SPACE_NOTICE_INTERVAL_MS;
            }
            waited_ms.push((now.boot_ms - start_ms) / SPACE_NOTICE_INTERVAL_MS);
            assert!(!notice.is_due(empty, now), "once");
        }
        assert_eq!(waited_ms, [0, 2, 4, 8, 16, 32, 64, 64, 64]);
        notice.sync_ended();
        notice.refused(RefuseReason::Memory { bytes: 100 });
        now.boot_ms += SPACE_NOTICE_INTERVAL_MS;
        assert!(notice.is_due(empty, now));
    }
}
