//! When a node that has refused records asks for them again.

use crate::limits::{SPACE_NOTICE_DOUBLINGS_MAX, SPACE_NOTICE_INTERVAL_MS};
use crate::store::{Memory, Now, RefuseReason};

/// What this node has had no memory for since it last said that it has room. Each report costs the
/// partner a pass over its table, so one is made only when a pass would bring something.
#[derive(Debug, Default)]
pub(super) struct SpaceNotice {
    /// What the smallest of the refused records takes. It fits before any other does.
    smallest_bytes: Option<u64>,
    /// When the last report was made.
    sent_ms: u64,
    /// Something was refused since the partner's last pass ended.
    refused_since_sync: bool,
    /// Passes in a row in which something was refused.
    syncs_refused: u32,
}

impl SpaceNotice {
    /// A record was refused. What is over `-I` will be so next time, too.
    pub(super) fn refused(&mut self, shortage: RefuseReason) {
        if let RefuseReason::Memory { bytes } = shortage {
            let smallest = self.smallest_bytes.map_or(bytes, |least| least.min(bytes));
            self.smallest_bytes = Some(smallest);
            self.refused_since_sync = true;
        }
    }

    /// The partner's pass is over. While passes bring what must be refused, reports grow rare.
    pub(super) fn sync_ended(&mut self) {
        self.syncs_refused = match std::mem::take(&mut self.refused_since_sync) {
            true => self.syncs_refused + 1,
            false => 0,
        };
    }

    /// Whether to report room now: 5 % of memory are free, and one of the refused records fits.
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
    fn reports_grow_rare_while_passes_bring_what_is_refused() {
        let mut room = SpaceNotice::default();
        let mut now = Now {
            boot_ms: 1 << 20,
            wall_ms: 0,
        };
        let empty = || Memory {
            budget_bytes: 1000,
            ..Memory::default()
        };
        let mut waited_ms = Vec::new();
        for _ in 0..9 {
            room.refused(RefuseReason::Memory { bytes: 100 });
            room.sync_ended();
            let start_ms = now.boot_ms;
            while !room.is_due(empty, now) {
                now.boot_ms += SPACE_NOTICE_INTERVAL_MS;
            }
            waited_ms.push((now.boot_ms - start_ms) / SPACE_NOTICE_INTERVAL_MS);
            assert!(!room.is_due(empty, now), "once");
        }
        assert_eq!(waited_ms, [0, 2, 4, 8, 16, 32, 64, 64, 64]);
        room.sync_ended();
        room.refused(RefuseReason::Memory { bytes: 100 });
        now.boot_ms += SPACE_NOTICE_INTERVAL_MS;
        assert!(room.is_due(empty, now));
    }
}
