//! The kinds of histories that are simulated.

use std::str::FromStr;

use fastrand::Rng;

use super::command::{CommandKind, CommandMix};
use super::fault::{FaultKind, FaultMix};
use crate::limits::{PROCESS_BYTES_MIN, SHARD_OVERHEAD_BYTES, Sizes};
use crate::store::{ClassPlan, StoreConfig};

/// Simulated time with clients and faults.
pub(super) const CHAOS_MS: u64 = 8000;
/// When the partner goes away in histories with an absence, and when it is back.
pub(super) const ABSENCE_MS: std::ops::Range<u64> = 300..6500;
/// Shards of a store, as a power of two: far fewer than in production, for a sync and expiry
/// visit all of them.
const SHARD_BITS: u32 = 4;
/// What the items of a node may take that has enough memory.
const AMPLE_BYTES: u64 = 3 << 20;

/// Which plan a history has; a seed alone draws the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanKind {
    /// No faults.
    Steady,
    /// All faults, all commands.
    Faults,
    /// One side or both are short of memory.
    Memory,
    /// Clients delete while the partner is away, and fill the memory that holds the tombstones.
    Absence,
    /// One large value is touched and written all the time.
    Large,
    /// Each seed draws its own mix of faults, commands and sizes.
    Swarm,
}

impl PlanKind {
    pub(super) const ALL: [Self; 6] = [
        Self::Steady,
        Self::Faults,
        Self::Memory,
        Self::Absence,
        Self::Large,
        Self::Swarm,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Faults => "faults",
            Self::Memory => "memory",
            Self::Absence => "absence",
            Self::Large => "large",
            Self::Swarm => "swarm",
        }
    }
}

impl FromStr for PlanKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("no plan {name}: there are {names:?}"))
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) sizes: Sizes,
    /// Whether clients wait for the partner.
    pub(super) semi_sync: bool,
    /// Whether a node serves as soon as it is linked, and asks for what it has not got yet.
    pub(super) opens_at_hello: bool,
    /// What the items of each side may take.
    pub(super) budget_bytes: [u64; 2],
    /// `-I` of each side.
    pub(super) item_bytes_max: [usize; 2],
    /// Whether a node without memory evicts, or refuses as with `-M`.
    pub(super) evicting: bool,
    /// Clients touch and write one large value all the time.
    pub(super) large: bool,
    /// The network is cut for most of the time. Clients delete keys at first, and then fill the
    /// memory that holds the tombstones.
    pub(super) absence: bool,
    /// Few, so that both sides write the same keys; but many where tombstones are to fill memory.
    pub(super) keys: usize,
    pub(super) commands: CommandMix,
    /// How many steps there are to a turn of a client.
    pub(super) steps_per_turn: u8,
    pub(super) faults: FaultMix,
    /// How long the effect of a fault may last.
    pub(super) fault_ms_max: u64,
    /// Clocks run too fast or too slow.
    pub(super) drift: bool,
    /// Longest value of most writes.
    pub(super) value_bytes_max: usize,
}

/// What clients do mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// All kinds of commands.
    Mixed,
    Deleting,
    /// Large values, so that memory is soon full.
    Filling,
}

impl Plan {
    /// What a seed makes of a kind of plan.
    pub(super) fn of(kind: PlanKind, seed: u64) -> Self {
        // Another stream of numbers than that of the history.
        let mut rng = Rng::with_seed(seed ^ 0x70_6c61_6e00);
        let mut plan = Self::faulty(&mut rng);
        match kind {
            PlanKind::Faults => {}
            PlanKind::Steady => plan.faults = FaultMix::none(),
            PlanKind::Memory => plan.draw_memory(&mut rng),
            PlanKind::Absence => {
                plan.faults = FaultMix::none();
                plan.absence = true;
                plan.keys = 60;
                // Enough for all tombstones, and for a part of the values.
                let small_bytes = 128 << 10;
                let other_bytes = if seed.is_multiple_of(2) {
                    small_bytes
                } else {
                    AMPLE_BYTES
                };
                plan.budget_bytes = [small_bytes, other_bytes];
                plan.value_bytes_max = 6000;
            }
            PlanKind::Large => {
                plan.large = true;
                if seed.is_multiple_of(4) {
                    plan.faults = FaultMix::none();
                }
            }
            PlanKind::Swarm => plan.draw_swarm(&mut rng),
        }
        plan
    }

    fn faulty(rng: &mut Rng) -> Self {
        Self {
            sizes: sizes(rng),
            semi_sync: true,
            opens_at_hello: rng.u8(..4) != 0,
            budget_bytes: [AMPLE_BYTES; 2],
            item_bytes_max: [1 << 20; 2],
            evicting: true,
            large: false,
            absence: false,
            keys: 24,
            commands: CommandMix::all(),
            steps_per_turn: 3,
            faults: FaultMix::all(),
            fault_ms_max: 2500,
            drift: true,
            value_bytes_max: 300,
        }
    }

    /// Each side alone, and both, are short of memory.
    fn draw_memory(&mut self, rng: &mut Rng) {
        self.evicting = rng.bool();
        self.value_bytes_max = rng.usize(2000..9000);
        let which = rng.usize(..3);
        for side in [0, 1] {
            if which != side {
                self.budget_bytes[side] = rng.u64(40 << 10..96 << 10);
            }
        }
        if rng.u8(..4) == 0 {
            self.item_bytes_max[rng.usize(..2)] = rng.usize(300..2000);
        }
    }

    fn draw_swarm(&mut self, rng: &mut Rng) {
        if rng.u8(..3) == 0 {
            self.draw_memory(rng);
        } else {
            self.value_bytes_max = *pick(rng, &[40, 300, 1500, 6000]);
        }
        self.keys = *pick(rng, &[2, 5, 12, 24, 32]);
        self.commands = CommandMix::drawn(rng);
        self.steps_per_turn = *pick(rng, &[2, 3, 5]);
        self.faults = FaultMix::drawn(rng);
        self.fault_ms_max = *pick(rng, &[60, 500, 1500, 2500]);
        self.drift = rng.bool();
        self.semi_sync = rng.u8(..4) != 0;
        self.large = rng.u8(..8) == 0;
    }

    /// Whether a key may be missing on a node for want of memory, or because it is too large there.
    pub(super) fn is_short(&self) -> bool {
        self.budget_bytes != [AMPLE_BYTES; 2] || self.item_bytes_max[0] != self.item_bytes_max[1]
    }

    pub(super) fn is_cut(&self, time_ms: u64) -> bool {
        self.absence && ABSENCE_MS.contains(&time_ms)
    }

    pub(super) fn phase(&self, time_ms: u64) -> Phase {
        let middle_ms = ABSENCE_MS.start + (ABSENCE_MS.end - ABSENCE_MS.start) / 2;
        match time_ms {
            _ if !self.is_cut(time_ms) => Phase::Mixed,
            _ if time_ms < middle_ms => Phase::Deleting,
            _ => Phase::Filling,
        }
    }

    /// The commands of a moment.
    pub(super) fn draw_command(&self, time_ms: u64, rng: &mut Rng) -> CommandKind {
        match self.phase(time_ms) {
            Phase::Deleting if rng.u8(..10) != 0 => CommandKind::Delete,
            Phase::Filling if rng.u8(..10) != 0 => CommandKind::Set,
            _ => self.commands.draw(rng),
        }
    }

    pub(super) fn draw_fault(&self, rng: &mut Rng) -> Option<FaultKind> {
        self.faults.draw(rng)
    }

    pub(super) fn store(&self, side: usize) -> StoreConfig {
        let budget_bytes = self.budget_bytes[side];
        let kept_bytes = PROCESS_BYTES_MIN + (SHARD_OVERHEAD_BYTES << SHARD_BITS);
        StoreConfig {
            // A part of all is kept for the link.
            limit_bytes: (budget_bytes + kept_bytes) * 32 / 31,
            item_bytes_max: self.item_bytes_max[side],
            evicting: self.evicting || budget_bytes == AMPLE_BYTES,
            hash_secret: *b"the pair's hash ",
            side: side as u8,
            replicated: true,
            classes: ClassPlan::default(),
        }
    }
}

/// Sizes of a link and of its queues that values of a few hundred bytes and some dozens of keys
/// fill.
fn sizes(rng: &mut Rng) -> Sizes {
    let frame_bytes = *pick(rng, &[192, 400, 1024, 4096]);
    let sync_window_bytes = frame_bytes * rng.usize(2..6);
    let frames = rng.usize(3..80);
    let batch_keys = rng.usize(1..8);
    let dirty_keys = batch_keys * rng.usize(2..12);
    Sizes {
        frame_bytes_max: frame_bytes,
        one_frame_value_bytes: frame_bytes - 64,
        live_window_bytes: sync_window_bytes + frame_bytes * rng.usize(0..10),
        bulk_window_bytes_min: 2 * frame_bytes,
        bulk_window_bytes_max: frame_bytes * rng.usize(2..10),
        sync_window_bytes,
        sync_burst_bytes: frame_bytes,
        sync_share_bytes: 4 * frame_bytes,
        ordered_value_bytes_max: frame_bytes * rng.usize(0..8),
        in_flight_min: frames,
        in_flight_max: frames,
        dirty_keys_min: dirty_keys,
        dirty_keys_max: dirty_keys,
        batch_keys_max: batch_keys,
        promotions_max: rng.usize(4..20),
        change_queue_batches_max: rng.usize(2..32),
        change_queue_keys_min: 1,
        shard_bits_min: SHARD_BITS,
        bucket_bits: *pick(rng, &[6, 7, 9]),
        ask_keys_max: rng.usize(1..=(frame_bytes - 64) / 8),
    }
}

pub(super) fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}
