//! How faults come about in a history.

use super::clocks::Clocks;
use super::fault::FaultKind;
use super::node::{PATIENCE_MS, SimNode};
use super::pipe::Pipe;
use super::world::World;

/// How far a wall clock may be off.
const HOURS_MS: i64 = 6 * 3_600_000;
/// The offset of a wall clock that was never set.
const WALL_UNSET: i64 = i64::MIN;

impl World {
    pub(super) fn maybe_fault(&mut self) -> Result<(), String> {
        let Some(kind) = self.plan.draw_fault(&mut self.rng) else {
            return Ok(());
        };
        let side = self.rng.usize(..2);
        let until_ms = self.time_ms + self.rng.u64(1..self.plan.fault_ms_max);
        self.totals.faults += 1;
        match kind {
            FaultKind::Close if self.nodes[side].connected => self.close(side),
            FaultKind::Close => {}
            FaultKind::CutOneWay => self.pipes[side].blocked_until_ms = until_ms,
            FaultKind::CutBoth => self.cut(until_ms),
            FaultKind::Pause => self.nodes[side].paused_until_ms = until_ms,
            FaultKind::LinkStall => self.nodes[side].link_stalls_until_ms = until_ms,
            FaultKind::WallStep => {
                self.nodes[side].clocks.wall_offset_ms = self.wall_offset_ms(side, 0);
            }
            FaultKind::Crash => self.crash(side, until_ms)?,
            FaultKind::CrashAlone => {
                self.crash(side, until_ms)?;
                let alone_ms = self.rng.u64(1..self.plan.fault_ms_max);
                self.cut(until_ms + PATIENCE_MS + alone_ms);
            }
        }
        Ok(())
    }

    fn cut(&mut self, until_ms: u64) {
        for pipe in &mut self.pipes {
            pipe.blocked_until_ms = until_ms;
        }
    }

    /// A node dies and starts again empty, perhaps with its clock behind. Bytes it had sent may
    /// still arrive.
    fn crash(&mut self, side: usize, until_ms: u64) -> Result<(), String> {
        let other = 1 - side;
        let survivor_runs = self.nodes[other].link_runs(self.time_ms);
        if survivor_runs && self.rng.bool() {
            self.deliver(other)?;
        }
        self.pipes.iter_mut().for_each(Pipe::clear);
        if self.nodes[side].connected {
            self.pipes[side].end(self.time_ms, &mut self.rng);
        }
        let node = &self.nodes[side];
        self.totals.add_node(&node.link.counters(), &node.store);
        self.starts += 1;
        let clocks = Clocks {
            wall_offset_ms: self.wall_offset_ms(side, until_ms - self.time_ms),
            ..self.nodes[side].clocks
        };
        self.nodes[side] = SimNode::new(side, &self.plan, clocks, self.starts, until_ms);
        self.model.crashed(side, &self.nodes[other]);
        Ok(())
    }

    /// Another wall clock for a node that was down for so long, or was not down at all.
    fn wall_offset_ms(&mut self, side: usize, down_ms: u64) -> i64 {
        let [own_ms, other_ms] =
            [side, 1 - side].map(|side| self.nodes[side].clocks.wall_offset_ms);
        let before_ms = if own_ms == WALL_UNSET { 0 } else { own_ms };
        match self.rng.u8(..8) {
            0..3 => before_ms - self.rng.i64(0..600_000),
            3 => self.rng.i64(-HOURS_MS..0),
            4 => self.rng.i64(0..HOURS_MS),
            // It stood still.
            5 => before_ms - down_ms as i64,
            6 if other_ms != WALL_UNSET && down_ms > 0 => WALL_UNSET,
            _ => before_ms,
        }
    }

    pub(super) fn heal(&mut self) {
        for (node, pipe) in self.nodes.iter_mut().zip(&mut self.pipes) {
            pipe.blocked_until_ms = 0;
            node.paused_until_ms = 0;
            node.link_stalls_until_ms = 0;
            node.down_until_ms = node.down_until_ms.min(self.time_ms);
        }
    }
}
