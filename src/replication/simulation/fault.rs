//! What goes wrong in a history.

use fastrand::Rng;

use super::plan::pick;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// One side closes the connection.
    Close,
    /// Nothing arrives in one direction.
    CutOneWay,
    /// Nothing arrives in either direction.
    CutBoth,
    /// A process stands still, as with SIGSTOP.
    Pause,
    /// The thread of the link stands still, and clients are served.
    LinkStall,
    /// A wall clock is set.
    WallStep,
    /// A process dies, and starts again empty.
    Crash,
    /// The same while the network is cut, for longer than a node waits for an absent partner.
    CrashAlone,
}

/// How often each fault happens, in comparison with the others.
const USUAL: [(FaultKind, u32); 8] = [
    (FaultKind::Close, 3),
    (FaultKind::CutOneWay, 4),
    (FaultKind::CutBoth, 2),
    (FaultKind::Pause, 3),
    (FaultKind::LinkStall, 3),
    (FaultKind::WallStep, 2),
    (FaultKind::Crash, 2),
    (FaultKind::CrashAlone, 1),
];
/// Steps of the simulation to one fault, on average.
const STEPS_PER_FAULT: u32 = 70;

#[derive(Clone, Debug)]
pub(super) struct FaultMix {
    weights: [(FaultKind, u32); 8],
    sum: u32,
}

impl FaultMix {
    pub(super) fn none() -> Self {
        Self::of(USUAL.map(|(kind, _)| (kind, 0)))
    }

    pub(super) fn all() -> Self {
        Self::of(USUAL)
    }

    /// Some faults more often than usual, and others not at all.
    pub(super) fn drawn(rng: &mut Rng) -> Self {
        Self::of(USUAL.map(|(kind, weight)| (kind, weight * pick(rng, &[0, 0, 1, 1, 5]))))
    }

    fn of(weights: [(FaultKind, u32); 8]) -> Self {
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        Self { weights, sum }
    }

    /// The fault of one step, if there is one.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<FaultKind> {
        if self.sum == 0 || rng.u32(..STEPS_PER_FAULT) != 0 {
            return None;
        }
        let mut left = rng.u32(..self.sum);
        for (kind, weight) in self.weights {
            if left < weight {
                return Some(kind);
            }
            left -= weight;
        }
        None
    }
}
