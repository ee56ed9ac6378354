//! The network between the two nodes, and the course of one history.

use fastrand::Rng;

use super::clocks::{Clocks, DRIFT_PPM_MAX};
use super::command::Command;
use super::model::Model;
use super::node::SimNode;
use super::pipe::Pipe;
use super::plan::{ABSENCE_MS, CHAOS_MS, Phase, Plan};
use super::stream_check::StreamCheck;
use super::totals::Totals;
use crate::limits;
use crate::store::OpContext;

/// Simulated time within which both sides must converge once all faults have ended.
const HEAL_MS: u64 = 20_000;
/// Simulated time within which a node asks for what it had no memory for: a minute at most passes
/// between two notices.
const SPACE_MS: u64 = 70_000;
/// One part in this many of memory may be exceeded for a moment.
const MEMORY_SLACK_SHARE: u64 = 16;
/// Time between two tries to connect.
const DIAL_MS: u64 = 100;
/// Steps from one look at all keys to the next.
const STEPS_PER_LOOK: u64 = 8;
/// Commands in one turn of a client, at most.
const TURN_COMMANDS_MAX: u8 = 3;

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) plan: Plan,
    pub(super) time_ms: u64,
    pub(super) nodes: [SimNode; 2],
    /// By the side that writes.
    pub(super) pipes: [Pipe; 2],
    /// By the side that reads.
    stream_checks: [StreamCheck; 2],
    dial_ms: u64,
    pub(super) starts: u64,
    pub(super) model: Model,
    pub(super) totals: Totals,
}

impl World {
    /// The sizes of this thread are those of the plan from now on.
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        limits::set_sizes(plan.sizes);
        let mut rng = Rng::with_seed(seed);
        let nodes = [0, 1].map(|side| {
            let clocks = Clocks {
                boot_start_ms: rng.u64(1_000_000..10_000_000),
                drift_ppm: if plan.drift {
                    rng.i64(-DRIFT_PPM_MAX..=DRIFT_PPM_MAX)
                } else {
                    0
                },
                wall_offset_ms: 0,
            };
            SimNode::new(side, &plan, clocks, side as u64, 0)
        });
        let model = Model::new(plan.clone(), &nodes[0].store);
        let capacity_bytes = plan.sizes.frame_bytes_max * rng.usize(2..16);
        Self {
            rng,
            plan,
            time_ms: 0,
            nodes,
            pipes: [Pipe::new(capacity_bytes), Pipe::new(capacity_bytes)],
            stream_checks: Default::default(),
            dial_ms: 0,
            starts: 2,
            model,
            totals: Totals::default(),
        }
    }

    /// The whole history.
    pub(super) fn run(mut self) -> Result<Totals, String> {
        let mut steps = 0u64;
        while self.time_ms < CHAOS_MS {
            self.maybe_fault()?;
            if self.plan.is_cut(self.time_ms) {
                for pipe in &mut self.pipes {
                    pipe.blocked_until_ms = ABSENCE_MS.end;
                }
            }
            self.clients()?;
            // Mostly as fine as the network's delays, so that what happens at once is told apart.
            let step_ms = match self.rng.u8(..10) {
                0 => self.rng.u64(10..150),
                _ => self.rng.u64(1..8),
            };
            self.step(step_ms)?;
            steps += 1;
            if steps.is_multiple_of(STEPS_PER_LOOK) {
                self.observe()?;
            }
        }
        self.heal();
        self.settle()?;
        // Until every deadline has passed, however long a record was delayed.
        let end_ms = self.time_ms + Model::deadlines_end_ms();
        while self.time_ms < end_ms {
            let step_ms = self.rng.u64(20..120);
            self.step(step_ms)?;
        }
        self.settle()?;
        self.await_space()?;
        self.model.check_settled(&self.nodes, self.time_ms)?;
        self.no_unseen_entries()?;
        for node in &self.nodes {
            self.totals.add_node(&node.link.counters(), &node.store);
        }
        self.totals.versions = self.model.versions;
        Ok(self.totals)
    }

    /// Goes on until nothing is under way, and then compares both sides.
    fn settle(&mut self) -> Result<(), String> {
        let from_ms = self.time_ms;
        loop {
            let step_ms = self.rng.u64(1..8);
            self.step(step_ms)?;
            if self.is_quiet() {
                break;
            }
            if self.time_ms > from_ms + HEAL_MS {
                return Err(format!("not quiet after {HEAL_MS} ms: {}", self.counters()));
            }
        }
        self.observe()?;
        let stores = [&self.nodes[0].store, &self.nodes[1].store];
        let converged = self.model.check_converged(stores, self.time_ms);
        converged.map_err(|what| format!("{what}\n{}", self.counters()))
    }

    /// Whether nothing is under way but heartbeats. A flush is not acknowledged.
    fn is_quiet(&self) -> bool {
        let flush_watermarks = self
            .nodes
            .each_ref()
            .map(|node| node.store.flush_watermark());
        self.nodes.iter().all(SimNode::is_quiet) && flush_watermarks[0] == flush_watermarks[1]
    }

    /// Advances the simulated time.
    fn step(&mut self, step_ms: u64) -> Result<(), String> {
        self.time_ms += step_ms;
        self.dial();
        for side in [0, 1] {
            let node = &mut self.nodes[side];
            if !node.runs(self.time_ms) {
                continue;
            }
            node.housekeeping(self.time_ms);
            self.model.note_flush(&node.store);
            if !node.link_runs(self.time_ms) {
                continue;
            }
            self.drive(side)
                .map_err(|what| format!("side {side}: {what}"))?;
        }
        for side in [0, 1] {
            if self.nodes[side].runs(self.time_ms) {
                self.poll_asked(side)
                    .map_err(|what| format!("a client of side {side}: {what}"))?;
            }
        }
        Ok(())
    }

    /// One turn of a node's replication thread.
    fn drive(&mut self, side: usize) -> Result<(), String> {
        self.deliver(side)?;
        let node = &mut self.nodes[side];
        self.totals.started_alone += u64::from(node.tick_gate(self.time_ms)?);
        if node.tick(self.time_ms).is_err() {
            self.close(side);
            return Ok(());
        }
        node.take_events(&mut self.model, self.time_ms)?;
        node.drive(self.time_ms, &mut self.rng)?;
        if node.connected {
            self.pipes[side].write(&mut node.out, self.time_ms, &mut self.rng);
        }
        node.take_events(&mut self.model, self.time_ms)
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

    pub(super) fn deliver(&mut self, side: usize) -> Result<(), String> {
        while self.nodes[side].connected {
            match self.pipes[1 - side].read(self.time_ms) {
                None => break,
                Some(None) => self.close(side),
                Some(Some(bytes)) => self.receive(side, &bytes)?,
            }
        }
        Ok(())
    }

    fn receive(&mut self, side: usize, bytes: &[u8]) -> Result<(), String> {
        let time_ms = self.time_ms;
        let check = &mut self.stream_checks[side];
        let (to, from) = (&self.nodes[side], &self.nodes[1 - side]);
        let fed = check.feed(bytes, &mut self.model, to, from, time_ms);
        fed.map_err(|error| error.to_string())?;
        let node = &mut self.nodes[side];
        let refused = node.link.counters().records_refused;
        let received = node
            .link
            .received(bytes, &node.store, node.clocks.now(time_ms));
        received.map_err(|error| error.to_string())?;
        check.check(&node.store)?;
        let refused = node.link.counters().records_refused > refused;
        let (node, partner) = (&self.nodes[side], &self.nodes[1 - side]);
        self.model.note_meeting(node, partner)?;
        self.model.records_arrived(node, &check.arrived, refused)?;
        check.arrived.clear();
        self.nodes[side].take_events(&mut self.model, time_ms)?;
        self.check_answers(side)
    }

    fn check_answers(&mut self, side: usize) -> Result<(), String> {
        let [first, second] = &mut self.nodes;
        let (node, partner) = match side {
            0 => (first, second),
            _ => (second, first),
        };
        self.totals.protected += node.check_answers(partner, &self.model)?;
        Ok(())
    }

    /// One side closes the connection; the other notices it unless the network is cut.
    pub(super) fn close(&mut self, side: usize) {
        self.nodes[side].disconnect(self.time_ms);
        self.pipes[side].end(self.time_ms, &mut self.rng);
    }

    fn clients(&mut self) -> Result<(), String> {
        for side in [0, 1] {
            let node = &self.nodes[side];
            let serves = node.runs(self.time_ms) && node.gate.is_serving();
            if serves && self.rng.u8(..self.plan.steps_per_turn) == 0 {
                self.client_turn(side)
                    .map_err(|what| format!("a client of side {side}: {what}"))?;
            }
        }
        Ok(())
    }

    /// One turn of a connection: some commands, and then their changes are sent.
    fn client_turn(&mut self, side: usize) -> Result<(), String> {
        let node = &self.nodes[side];
        let now = node.now(self.time_ms);
        node.store.flush_if_due(now);
        self.model.note_flush(&node.store);
        let mut op = OpContext::at(now);
        for _ in 0..self.rng.u8(1..=TURN_COMMANDS_MAX) {
            let kind = self.plan.draw_command(self.time_ms, &mut self.rng);
            let is_busy = self.plan.large && self.rng.bool();
            let which = if is_busy {
                0
            } else {
                self.rng.usize(..self.plan.keys)
            };
            let value_len = self.value_len(which);
            let command = Command {
                kind,
                which,
                key: self.model.keys[which].key.clone(),
                id: self.model.next_id(),
                value_len,
                may_expire: !self.model.is_large(which),
            };
            if !self.run_or_ask(side, command, &mut op)? {
                break;
            }
            if !op.large.is_empty() {
                // What a client asks for after a large value runs when that is answered.
                break;
            }
        }
        self.nodes[side].send_changes(&mut op);
        Ok(())
    }

    fn value_len(&mut self, which: usize) -> usize {
        let frame_bytes = self.plan.sizes.frame_bytes_max;
        let rng = &mut self.rng;
        match (self.plan.phase(self.time_ms), rng.u8(..40)) {
            _ if self.model.is_large(which) => rng.usize(20..40) * frame_bytes,
            (Phase::Filling, _) => {
                rng.usize(self.plan.value_bytes_max / 3..self.plan.value_bytes_max)
            }
            // Some need chunks, whatever the frame.
            (_, 0..4) if !self.plan.is_short() => rng.usize(..6 * frame_bytes),
            _ => rng.usize(..self.plan.value_bytes_max),
        }
    }

    fn observe(&mut self) -> Result<(), String> {
        self.model.check_held(&self.nodes, self.time_ms)?;
        self.model.check_held(&self.nodes, self.time_ms)?;
        for (side, node) in self.nodes.iter().enumerate() {
            self.model.observe(node)?;
            let counters = node.link.counters();
            let memory = node.store.memory();
            self.totals.most_tombstones = self.totals.most_tombstones.max(memory.tombstones);
            // At other times large records are charged before anything is evicted for them.
            let most_bytes = memory.budget_bytes + memory.budget_bytes / MEMORY_SLACK_SHARE;
            let fills = self.plan.phase(self.time_ms) == Phase::Filling;
            if fills && memory.used_bytes > most_bytes {
                return Err(format!("side {side} is over its memory: {memory:?}"));
            }
            let sizes = self.plan.sizes;
            let window =
                sizes.live_window_bytes + sizes.bulk_window_bytes_max + sizes.sync_window_bytes;
            let keys_max = node.link.waiting_keys_max();
            if counters.unconfirmed_bytes > window as u64 || counters.queue_keys > keys_max as u64 {
                return Err(format!("a queue beyond its bound: {counters:?}"));
            }
        }
        Ok(())
    }

    /// A node that has memory again for what it refused asks for it, however long it waits first.
    fn await_space(&mut self) -> Result<(), String> {
        let end_ms = self.time_ms + SPACE_MS;
        loop {
            let stores = [&self.nodes[0].store, &self.nodes[1].store];
            match self.model.find_fitting(stores) {
                None => return Ok(()),
                Some(what) if self.time_ms > end_ms => return Err(what),
                Some(_) => {}
            }
            let step_ms = self.rng.u64(50..150);
            self.step(step_ms)?;
        }
    }

    /// Both sides know all deletions, so neither keeps a tombstone; nor what a flush has killed.
    fn no_unseen_entries(&self) -> Result<(), String> {
        let left = [0, 1].map(|side| self.model.unseen_entries(&self.nodes[side].store));
        if left == [0, 0] {
            return Ok(());
        }
        Err(format!(
            "tombstones or flushed items left: {left:?}, {}",
            self.counters()
        ))
    }

    fn counters(&self) -> String {
        format!(
            "{:#?}",
            [self.nodes[0].link.counters(), self.nodes[1].link.counters()]
        )
    }
}
