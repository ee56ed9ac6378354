//! What may go wrong with a pair, each in a way that ends with both nodes linked again.

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::Audit;
use crate::proxy::Direction;

/// Commands that clients are answered while something is wrong, and before and after it.
const A_WHILE: u64 = 250;
/// Values of 100 kB which each full sync carries.
pub const FILLED: usize = 300;
/// A link on which an ack takes a few milliseconds: what is answered without it is not there yet.
const SLOW_LINK_MS: u64 = 4;
/// A full sync of some tens of megabytes takes longer than what is done meanwhile.
const NARROW_LINK_BYTES_PER_SEC: u64 = 4 << 20;
/// It takes longer than a node that starts waits for a partner who is not there.
const SLOW_SYNC_BYTES_PER_SEC: u64 = 12 << 20;
/// Less than the clients write.
const VERY_NARROW_LINK_BYTES_PER_SEC: u64 = 400 << 10;
/// Wrong wall clocks, as libfaketime takes them. None is ahead: afterwards the timestamps of both
/// nodes would be, and of what both write while they cannot reach each other neither would be the
/// later.
const WRONG_CLOCKS: [&str; 2] = ["-1h", "-1d"];

/// A fault. The number is the side that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; the other node serves, then this one returns empty.
    Kill(usize),
    /// The same, and what the link carries at that moment is lost.
    LoseHost(usize),
    /// SIGKILL and a new process at once.
    RestartInPlace(usize),
    /// Both, one after the other; the second as soon as the first serves.
    RestartInTurn(usize),
    /// SIGSTOP and later SIGCONT.
    Freeze(usize),
    /// SIGSTOP, and the other node is killed before SIGCONT.
    FreezeThenKillOther(usize),
    /// All connections of the link are closed, both nodes serve, the link returns.
    Cut,
    /// The link carries nothing, and its connections stay open.
    Hold,
    /// The same in the direction from side 0 to side 1.
    HoldForward,
    /// The same in the direction from side 1 to side 0.
    HoldBackward,
    /// The link carries little in both directions.
    Narrow,
    /// The link is cut, then the node is killed.
    CutThenKill(usize),
    /// The link carries nothing, then the node is killed.
    HoldThenKill(usize),
    /// The link carries little, then the node is killed.
    NarrowThenKill(usize),
    /// The link is cut and back at once, and the node dies as soon as it is up.
    BlinkThenKill(usize),
    /// The node restarts, and is killed again while it receives its partner's table; then that
    /// comes slowly.
    KillTargetOfSync(usize),
    /// The node restarts with a wrong wall clock, and its partner is killed afterwards.
    WrongClock(usize, &'static str),
    /// The node restarts alone with a wrong wall clock, while the link is cut.
    WrongClockAlone(usize, &'static str),
}

impl Fault {
    /// One of them.
    pub fn random(rng: &mut Rng) -> Self {
        let side = rng.usize(0..2);
        let wall = WRONG_CLOCKS[rng.usize(0..WRONG_CLOCKS.len())];
        let all = [
            Self::Kill(side),
            Self::LoseHost(side),
            Self::RestartInPlace(side),
            Self::RestartInTurn(side),
            Self::Freeze(side),
            Self::FreezeThenKillOther(side),
            Self::Cut,
            Self::Hold,
            Self::HoldForward,
            Self::HoldBackward,
            Self::Narrow,
            Self::CutThenKill(side),
            Self::HoldThenKill(side),
            Self::NarrowThenKill(side),
            Self::BlinkThenKill(side),
            Self::KillTargetOfSync(side),
            Self::WrongClock(side, wall),
            Self::WrongClockAlone(side, wall),
        ];
        all[rng.usize(0..all.len())]
    }

    /// Makes it happen while clients write.
    pub fn inject(self, audit: &mut Audit) -> Result<()> {
        audit.run(A_WHILE)?;
        match self {
            Self::Kill(side) => {
                audit.kill(side)?;
                audit.run(A_WHILE)?;
                audit.launch_until_full(side, None)?;
            }
            Self::LoseHost(side) => {
                audit.pair().link().delay(SLOW_LINK_MS);
                audit.run(A_WHILE)?;
                lose_host(audit, side)?;
            }
            Self::RestartInPlace(side) => {
                audit.kill(side)?;
                audit.launch_until_full(side, None)?;
            }
            Self::RestartInTurn(side) => {
                for side in [side, 1 - side] {
                    audit.kill(side)?;
                    audit.launch_until_full(side, None)?;
                }
            }
            Self::Freeze(side) => freeze(audit, side)?,
            Self::FreezeThenKillOther(side) => freeze_then_kill_other(audit, side)?,
            Self::Cut | Self::Hold | Self::HoldForward | Self::HoldBackward | Self::Narrow => {
                self.disturb_link(audit);
                audit.run(2 * A_WHILE)?;
                audit.heal();
            }
            Self::CutThenKill(side) | Self::HoldThenKill(side) | Self::NarrowThenKill(side) => {
                self.disturb_link(audit);
                audit.run(A_WHILE)?;
                lose_host(audit, side)?;
            }
            Self::BlinkThenKill(side) => blink_then_kill(audit, side)?,
            Self::KillTargetOfSync(side) => kill_target_of_sync(audit, side)?,
            Self::WrongClock(side, wall) => wrong_clock(audit, side, wall)?,
            Self::WrongClockAlone(side, wall) => wrong_clock_alone(audit, side, wall)?,
        }
        audit.run(A_WHILE)
    }

    fn disturb_link(self, audit: &Audit) {
        let link = audit.pair().link();
        match self {
            Self::Cut | Self::CutThenKill(_) => audit.cut(),
            Self::HoldForward => link.hold_towards(&[Direction::Forward]),
            Self::HoldBackward => link.hold_towards(&[Direction::Backward]),
            Self::Narrow | Self::NarrowThenKill(_) => {
                link.narrow(&Direction::BOTH, VERY_NARROW_LINK_BYTES_PER_SEC);
            }
            _ => link.hold(),
        }
    }
}

/// Injects these faults into a new pair, one after the other.
///
/// # Errors
/// More was lost than the nodes had counted as unprotected, or they did not come to hold the same.
pub fn are_survived(seed: u64, faults: &[Fault]) -> Result<()> {
    let mut audit = Audit::start(&[], seed)?;
    audit.load().fill(0, FILLED)?;
    audit.settle()?;
    for &fault in faults {
        audit.inject(fault)?.ensure_kept()?;
    }
    Ok(())
}

/// Kills the node; what the link carries at that moment is lost.
fn lose_host(audit: &mut Audit, side: usize) -> Result<()> {
    audit.kill(side)?;
    audit.cut();
    audit.run(A_WHILE)?;
    audit.heal();
    audit.launch_until_full(side, None)
}

fn freeze(audit: &mut Audit, side: usize) -> Result<()> {
    audit.freeze(side)?;
    audit.run(A_WHILE)?;
    audit.pair().thaw(side)
}

fn freeze_then_kill_other(audit: &mut Audit, side: usize) -> Result<()> {
    audit.freeze(side)?;
    audit.run(A_WHILE)?;
    audit.kill(1 - side)?;
    audit.pair().thaw(side)?;
    audit.run(A_WHILE)?;
    audit.launch_until_full(1 - side, None)
}

fn blink_then_kill(audit: &mut Audit, side: usize) -> Result<()> {
    audit.cut();
    audit.pair().wait_for_stat(1 - side, "link", "down")?;
    audit.heal();
    audit.pair().wait_for_stat(1 - side, "link", "up")?;
    audit.kill(side)?;
    audit.run(A_WHILE)?;
    audit.launch_until_full(side, None)
}

fn kill_target_of_sync(audit: &mut Audit, side: usize) -> Result<()> {
    audit.kill(side)?;
    begin_sync(audit, side)?;
    audit.kill_frozen(side)?;
    let link = audit.pair().link();
    link.narrow(&Direction::BOTH, SLOW_SYNC_BYTES_PER_SEC);
    audit.launch_until_full(side, None)?;
    audit.heal();
    Ok(())
}

/// Starts this side and returns while it receives its partner's table.
pub fn begin_sync(audit: &mut Audit, side: usize) -> Result<()> {
    let link = audit.pair().link();
    link.narrow(&Direction::BOTH, NARROW_LINK_BYTES_PER_SEC);
    audit.pair().wait_for_stat(1 - side, "link", "down")?;
    audit.launch(side, None)?;
    audit.pair().wait_for_stat(1 - side, "link", "up")?;
    audit.run(A_WHILE / 5)?;
    let pending = audit.pair().stat(1 - side, "sync_pending")?;
    ensure!(pending == "1", "the full sync has ended too early");
    Ok(())
}

fn wrong_clock(audit: &mut Audit, side: usize, wall: &str) -> Result<()> {
    audit.kill(side)?;
    audit.launch_until_full(side, Some(wall))?;
    audit.load().send_home();
    audit.run(A_WHILE)?;
    audit.kill_settled(1 - side)?;
    audit.run(A_WHILE)?;
    audit.launch_until_full(1 - side, None)?;
    audit.run(A_WHILE)?;
    audit.kill_settled(side)?;
    audit.launch_until_full(side, None)
}

/// The clients of the node stay with it: what is written on one node and then on the other, while
/// they cannot reach each other, is ordered by their clocks.
fn wrong_clock_alone(audit: &mut Audit, side: usize, wall: &str) -> Result<()> {
    audit.load().stay_home(true);
    audit.run(A_WHILE)?;
    audit.cut();
    audit.kill(side)?;
    audit.launch_until_open(side, Some(wall))?;
    audit.run(2 * A_WHILE)?;
    audit.heal();
    audit.settle()?;
    audit.load().stay_home(false);
    audit.run(A_WHILE)?;
    audit.kill_settled(side)?;
    audit.launch_until_full(side, None)
}
