//! The kind of history that is simulated.

use crate::store::{ClassPlan, StoreConfig};

/// Simulated time with clients and faults.
pub(super) const CHAOS_MS: u64 = 8000;
/// When the partner goes away in histories with an absence, and when it is back.
const ABSENCE_MS: std::ops::Range<u64> = 300..6500;
/// `-m` of a node that is short of memory.
const SMALL_BYTES: u64 = 600 << 10;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) faults: bool,
    /// The sides that have far less memory than the clients fill.
    pub(super) small: [bool; 2],
    /// Whether those make room by eviction.
    pub(super) evicting: bool,
    /// Clients touch and write one large value all the time.
    pub(super) large: bool,
    /// The network is cut for most of the time. Clients delete keys at first, and then fill the
    /// memory that holds the tombstones.
    pub(super) absence: bool,
    /// Sometimes a client fills the change queue.
    pub(super) bursts: bool,
    /// Few, so that both sides write the same keys; but many where tombstones are to fill memory.
    pub(super) keys: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            faults: true,
            small: [false; 2],
            evicting: true,
            large: false,
            absence: false,
            bursts: false,
            keys: 24,
        }
    }
}

/// What clients do mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// All kinds of commands.
    Mixed,
    Deleting,
    /// Values of a few KiB, so that memory is soon full.
    Filling,
}

impl Plan {
    /// Whether a key may be missing on a node for want of memory.
    pub(super) fn is_short(&self) -> bool {
        self.small.contains(&true)
    }

    pub(super) fn is_cut(&self, time_ms: u64) -> bool {
        self.absence && ABSENCE_MS.contains(&time_ms)
    }

    pub(super) fn mix(&self, time_ms: u64) -> Mix {
        let middle_ms = ABSENCE_MS.start + (ABSENCE_MS.end - ABSENCE_MS.start) / 2;
        match time_ms {
            _ if !self.is_cut(time_ms) => Mix::Mixed,
            _ if time_ms < middle_ms => Mix::Deleting,
            _ => Mix::Filling,
        }
    }

    pub(super) fn store(&self, side: usize) -> StoreConfig {
        let small = self.small[side];
        StoreConfig {
            limit_bytes: if small { SMALL_BYTES } else { 256 << 20 },
            item_bytes_max: 8 << 20,
            evicting: self.evicting || !small,
            hash_secret: *b"the pair's hash ",
            side: side as u8,
            replicated: true,
            classes: ClassPlan::default(),
        }
    }
}
