//! The network between the two nodes, the faults, and the course of one history.

use fastrand::Rng;

use super::client::{ClientTurn, TTL_MS_MAX};
use super::model::Model;
use super::node::SimNode;
use super::pipe::Pipe;
use super::plan::{CHAOS_MS, Mix, Plan};
use super::stream_check::StreamCheck;
use super::totals::Totals;
use crate::limits::{LIVE_WINDOW_BYTES, SYNC_WINDOW_BYTES};
use crate::store::OpContext;

/// Simulated time within which both sides must converge once all faults have ended.
const HEAL_MS: u64 = 4000;
/// One part in this many of memory may be exceeded for a moment.
const MEMORY_SLACK_SHARE: u64 = 16;
/// How far a wall clock may be off.
const HOURS_MS: i64 = 6 * 3_600_000;
/// The offset of a wall clock that was never set.
const WALL_UNSET: i64 = i64::MIN;
/// Time between two tries to connect.
const DIAL_MS: u64 = 100;

pub(super) struct World {
    rng: Rng,
    plan: Plan,
    time_ms: u64,
    nodes: [SimNode; 2],
    /// By the side that writes.
    pipes: [Pipe; 2],
    /// By the side that reads.
    stream_checks: [StreamCheck; 2],
    dial_ms: u64,
    starts: u64,
    model: Model,
    most_tombstones: u64,
}

impl World {
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        let nodes = [0, 1].map(|side| SimNode::new(side, &plan.store(side), side as u64, 0));
        let model = Model::new(plan, &nodes[0].store);
        Self {
            rng: Rng::with_seed(seed),
            plan,
            time_ms: 0,
            nodes,
            pipes: Default::default(),
            stream_checks: Default::default(),
            dial_ms: 0,
            starts: 2,
            model,
            most_tombstones: 0,
        }
    }

    /// The whole history.
    pub(super) fn run(mut self) -> Result<Totals, String> {
        let mut steps = 0u64;
        while self.time_ms < CHAOS_MS {
            if self.plan.faults {
                self.maybe_fault()?;
            }
            if self.plan.is_cut(self.time_ms) {
                for pipe in &mut self.pipes {
                    pipe.blocked_until_ms = self.time_ms + 10;
                }
            }
            self.clients();
            self.step()?;
            steps += 1;
            if steps.is_multiple_of(8) {
                self.observe()?;
            }
        }
        self.heal();
        let healed_ms = self.time_ms;
        let settled_ms = loop {
            self.step()?;
            self.observe()?;
            if self.is_quiet() {
                break self.time_ms;
            }
            if self.time_ms > healed_ms + HEAL_MS {
                return Err(format!("not quiet after {HEAL_MS} ms: {}", self.counters()));
            }
        };
        self.check_converged()?;
        // Long enough for every deadline to pass, however long a record was delayed.
        while self.time_ms < settled_ms + 2 * TTL_MS_MAX {
            self.step()?;
        }
        self.observe()?;
        self.check_converged()?;
        self.model.check_settled(&self.nodes, self.time_ms)?;
        self.no_tombstones()?;
        let mut totals = Totals {
            most_tombstones: self.most_tombstones,
            ..Totals::default()
        };
        for node in &self.nodes {
            totals.add(&Totals::by(&node.link.counters(), &node.store));
            totals.protected += node.groups.found;
        }
        Ok(totals)
    }

    /// Advances the simulated time by a few milliseconds.
    fn step(&mut self) -> Result<(), String> {
        self.time_ms += self.rng.u64(1..8);
        self.dial();
        for side in [0, 1] {
            if !self.nodes[side].runs(self.time_ms) {
                continue;
            }
            self.nodes[side].housekeeping(self.time_ms);
            self.note_held(side);
            if !self.nodes[side].link_runs(self.time_ms) {
                continue;
            }
            self.deliver(side)?;
            let node = &mut self.nodes[side];
            if node.tick(self.time_ms).is_err() {
                self.close(side);
                continue;
            }
            node.take_events(&mut self.model)?;
            node.drive(self.time_ms, &mut self.rng);
            if node.connected {
                self.pipes[side].write(&mut node.out, self.time_ms, &mut self.rng);
            }
            node.take_events(&mut self.model)?;
        }
        Ok(())
    }

    /// Side 0 dials. The new connection replaces one that side 1 may still take for open.
    fn dial(&mut self) {
        if self.nodes[0].connected || self.time_ms < self.dial_ms {
            return;
        }
        self.dial_ms = self.time_ms + DIAL_MS;
        let time_ms = self.time_ms;
        let open = self
            .pipes
            .iter()
            .all(|pipe| time_ms >= pipe.blocked_until_ms);
        if !open || !self.nodes.iter().all(|node| node.link_runs(time_ms)) {
            return;
        }
        let highest = self
            .nodes
            .each_ref()
            .map(|node| node.store.hybrid_clock().highest());
        for (side, pipe) in self.pipes.iter_mut().enumerate() {
            let node = &mut self.nodes[side];
            node.partner_had = highest[1 - side];
            pipe.clear();
            self.stream_checks[side] = StreamCheck::default();
            node.connect(time_ms);
        }
    }

    fn deliver(&mut self, side: usize) -> Result<(), String> {
        while self.nodes[side].connected {
            let Some(chunk) = self.pipes[1 - side].read(self.time_ms) else {
                break;
            };
            let node = &mut self.nodes[side];
            let now = node.now(self.time_ms);
            match chunk {
                None => self.close(side),
                Some(bytes) => {
                    let check = &mut self.stream_checks[side];
                    let receiver = (side, &node.store, now.boot_ms);
                    let read = check.feed(&bytes, &mut self.model, receiver);
                    read.map_err(|error| format!("to side {side}: {error}"))?;
                    let received = node.link.received(&bytes, &node.store, now);
                    received.map_err(|error| format!("side {side}: {error}"))?;
                    let told = check.check(&node.store);
                    told.map_err(|what| format!("side {side}: {what}"))?;
                    let (node, partner) = (&self.nodes[side], &self.nodes[1 - side]);
                    self.model.note_meeting(node, partner)?;
                    self.nodes[side].take_events(&mut self.model)?;
                    self.note_held(side);
                    self.check_answers(side)?;
                }
            }
        }
        Ok(())
    }

    fn check_answers(&mut self, side: usize) -> Result<(), String> {
        let [first, second] = &mut self.nodes;
        let (node, partner) = if side == 0 {
            (first, second)
        } else {
            (second, first)
        };
        node.check_answers(partner, &self.model)
    }

    fn note_held(&mut self, side: usize) {
        let node = &self.nodes[side];
        let lift = node.link.lift();
        self.model
            .note_held(side, &node.store, lift, &node.evictions);
    }

    /// One side closes the connection; the other notices it unless the network is cut.
    fn close(&mut self, side: usize) {
        self.nodes[side].disconnect(self.time_ms);
        self.pipes[side].end(self.time_ms, &mut self.rng);
    }

    fn clients(&mut self) {
        for side in [0, 1] {
            let node = &mut self.nodes[side];
            if !node.runs(self.time_ms) || !node.serves(self.time_ms) {
                continue;
            }
            for _ in 0..self.rng.u8(..3) {
                let mut turn = ClientTurn {
                    model: &mut self.model,
                    rng: &mut self.rng,
                    time_ms: self.time_ms,
                    mix: self.plan.mix(self.time_ms),
                    context: OpContext::at(node.now(self.time_ms)),
                };
                node.client(&mut turn);
            }
            self.note_held(side);
        }
    }

    fn maybe_fault(&mut self) -> Result<(), String> {
        if self.rng.u16(..400) != 0 {
            return Ok(());
        }
        let side = self.rng.usize(..2);
        let until_ms = self.time_ms + self.rng.u64(1..2500);
        match self.rng.u8(..11) {
            0..2 if self.nodes[side].connected => self.close(side),
            2..5 => self.pipes[side].blocked_until_ms = until_ms,
            5 => self
                .pipes
                .iter_mut()
                .for_each(|pipe| pipe.blocked_until_ms = until_ms),
            6..8 => self.nodes[side].paused_until_ms = until_ms,
            8 => self.nodes[side].wall_offset_ms = self.wall_offset_ms(side, 0),
            9 => self.crash(side, until_ms)?,
            10 => self.nodes[side].link_stalls_until_ms = until_ms,
            _ => {}
        }
        Ok(())
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
        self.starts += 1;
        if self.rng.bool() {
            // It starts in a partition, which lasts until it serves alone.
            let blocked_until_ms = until_ms + self.rng.u64(2000..5000);
            for pipe in &mut self.pipes {
                pipe.blocked_until_ms = blocked_until_ms;
            }
        }
        let wall_offset_ms = self.wall_offset_ms(side, until_ms - self.time_ms);
        self.nodes[side] = SimNode::new(side, &self.plan.store(side), self.starts, until_ms);
        self.nodes[side].wall_offset_ms = wall_offset_ms;
        let survivor = &self.nodes[other];
        self.model
            .crashed(side, &survivor.store, survivor.link.lift());
        Ok(())
    }

    /// Another wall clock for a node that was down for so long.
    fn wall_offset_ms(&mut self, side: usize, down_ms: u64) -> i64 {
        let (own, other) = (&self.nodes[side], &self.nodes[1 - side]);
        let before_ms = match own.wall_offset_ms {
            WALL_UNSET => 0,
            offset_ms => offset_ms,
        };
        match self.rng.u8(..8) {
            0..3 => before_ms - self.rng.i64(0..600_000),
            3 => self.rng.i64(-HOURS_MS..0),
            4 => self.rng.i64(0..HOURS_MS),
            // It stood still.
            5 => before_ms - down_ms as i64,
            6 if other.wall_offset_ms != WALL_UNSET => WALL_UNSET,
            _ => before_ms,
        }
    }

    fn heal(&mut self) {
        for (node, pipe) in self.nodes.iter_mut().zip(&mut self.pipes) {
            pipe.blocked_until_ms = 0;
            node.paused_until_ms = 0;
            node.link_stalls_until_ms = 0;
            node.down_until_ms = node.down_until_ms.min(self.time_ms);
        }
    }

    fn observe(&mut self) -> Result<(), String> {
        self.model.check_held(&self.nodes, self.time_ms)?;
        for (side, node) in self.nodes.iter().enumerate() {
            let now = node.now(self.time_ms);
            self.model
                .observe(side, &node.store, node.link.lift(), now)?;
            let counters = node.link.counters();
            let memory = node.store.memory();
            self.most_tombstones = self.most_tombstones.max(memory.tombstones);
            // At other times large records are charged before anything is evicted for them.
            let most_bytes = memory.budget_bytes + memory.budget_bytes / MEMORY_SLACK_SHARE;
            let fills = self.plan.mix(self.time_ms) == Mix::Filling;
            if fills && memory.used_bytes > most_bytes {
                return Err(format!("side {side} is over its memory: {memory:?}"));
            }
            let window = (LIVE_WINDOW_BYTES + SYNC_WINDOW_BYTES) as u64;
            let keys_max = node.link.waiting_keys_max();
            if counters.unconfirmed_bytes > window || counters.queue_keys > keys_max as u64 {
                return Err(format!("a queue beyond its bound: {counters:?}"));
            }
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| node.link.is_drained() && node.connected)
    }

    fn check_converged(&self) -> Result<(), String> {
        let stores = [&self.nodes[0].store, &self.nodes[1].store];
        let converged = self.model.check_converged(stores, self.time_ms);
        converged.map_err(|what| format!("{what}\n{}", self.counters()))
    }

    /// Both sides know all deletions, so neither keeps a tombstone.
    fn no_tombstones(&self) -> Result<(), String> {
        let left = [0, 1].map(|side| self.model.tombstones(&self.nodes[side].store));
        if left == [0, 0] {
            return Ok(());
        }
        Err(format!("tombstones left: {left:?}, {}", self.counters()))
    }

    fn counters(&self) -> String {
        format!(
            "{:#?}",
            [self.nodes[0].link.counters(), self.nodes[1].link.counters()]
        )
    }
}
