//! Checks what a pair promises: clients write while something goes wrong, and in the end both nodes
//! are asked for every key.
//!
//! Each client has keys of its own and knows of each what was acknowledged ([`notes`]). What is
//! missing or old afterwards must have been counted in `writes_unprotected` by the process that
//! acknowledged it, since the last time both nodes held the same ([`counts`]).

mod check;
pub mod counts;
pub mod faults;
pub mod load;
pub mod notes;
pub mod report;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::check::{has_filling, place_of, read_all, wait_until_equal};
use self::counts::{Count, Finding, broken_promises};
use self::faults::Fault;
use self::load::Load;
use self::notes::{Note, Verdict};
use self::report::Row;
use crate::pair::Pair;
use crate::proxy::Proxy;
use crate::server::Address;

/// Clients of a pair.
const CLIENTS: usize = 6;
/// The nodes wait longer for an ack than they do by default: a busy machine delays acks, and what
/// is unprotected therefore proves nothing.
const FLAGS: [&str; 8] = [
    "-m",
    "256",
    "-t",
    "2",
    "--start-alone-after",
    "1s",
    "--ack-timeout",
    "60ms",
];

/// A pair under load.
#[derive(Debug)]
pub struct Audit {
    // Dropped before the pair, or its clients would look for nodes that are gone.
    load: Arc<Load>,
    pair: Pair,
    /// Side 1 looks through it whether side 0 runs; nothing else passes here.
    way_back: Proxy,
    /// Of all processes that were started.
    counts: Vec<Count>,
    evicted_before: u64,
    /// One node is too small for what the other holds.
    is_unequal: bool,
}

impl Audit {
    /// A pair with these flags, beside those that every audit has, and clients that write to both
    /// nodes. `seed` chooses what they write.
    pub fn start(flags: &[&str], seed: u64) -> Result<Self> {
        Self::of(Pair::prepare(&[&FLAGS, flags].concat())?, false, seed)
    }

    /// With these flags for side 1 only, which make it smaller than its partner.
    pub fn start_unequal(flags: &[&str], seed: u64) -> Result<Self> {
        let mut pair = Pair::prepare(&FLAGS)?;
        for flag in flags {
            pair.add_flag(1, flag);
        }
        Self::of(pair, true, seed)
    }

    fn of(mut pair: Pair, is_unequal: bool, seed: u64) -> Result<Self> {
        let Address::Tcp(side_0) = pair.link_address(0) else {
            bail!("the link is TCP");
        };
        let way_back = Proxy::start(side_0)?;
        pair.set_flag(1, "--failover", &way_back.address().to_string())?;
        pair.launch_both()?;
        let addresses = [pair.client_address(0), pair.client_address(1)];
        let load = Arc::new(Load::start(addresses, CLIENTS, seed));
        let counts = [0, 1].map(|side| Count::new(load.life(side))).to_vec();
        let mut audit = Self {
            load,
            pair,
            way_back,
            counts,
            evicted_before: 0,
            is_unequal,
        };
        audit.run(10 * CLIENTS as u64)?;
        audit.settle()?;
        Ok(audit)
    }

    /// Injects a fault, and checks.
    ///
    /// # Errors
    /// As [`Audit::check`].
    pub fn inject(&mut self, fault: Fault) -> Result<Row> {
        let fault_name = format!("{fault:?}");
        fault.inject(self).with_context(|| fault_name.clone())?;
        self.check(&fault_name)
    }

    /// The pair.
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// The clients.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Lets the clients go on until so many more commands were answered.
    pub fn run(&self, answers: u64) -> Result<()> {
        self.load.wait_for_answers(answers)
    }

    /// Closes the connections between the nodes, and lets none through until [`Self::heal`].
    pub fn cut(&self) {
        self.pair.link().cut();
        self.way_back.cut();
    }

    /// The nodes can reach each other as ever.
    pub fn heal(&self) {
        self.way_back.heal();
        self.pair.link().heal();
    }

    /// Kills the process of this side with SIGKILL, right after its counter was read.
    pub fn kill(&mut self, side: usize) -> Result<()> {
        self.sample(side)?;
        self.kill_frozen(side)
    }

    /// The same for a process that cannot be asked: its counter was read before [`Self::freeze`].
    pub fn kill_frozen(&mut self, side: usize) -> Result<()> {
        self.pair.kill(side);
        self.count_mut(side)?.end();
        Ok(())
    }

    /// The same while both nodes hold the same and clients write nothing, so that nothing is under
    /// way that the other node orders by its clock later.
    pub fn kill_settled(&mut self, side: usize) -> Result<()> {
        let load = Arc::clone(&self.load);
        let notes = load.notes();
        wait_until_equal(&self.pair, self.is_unequal, &notes)?;
        self.kill(side)
    }

    /// Stops the process of this side, right after its counter was read.
    pub fn freeze(&mut self, side: usize) -> Result<()> {
        self.sample(side)?;
        self.pair.freeze(side)
    }

    /// Starts a process on this side, with this wall clock if there is one.
    pub fn launch(&mut self, side: usize, wall: Option<&str>) -> Result<()> {
        self.load.count_start(side);
        self.counts.push(Count::new(self.load.life(side)));
        match wall {
            Some(wall) => self.pair.launch_with_wall_clock(side, wall),
            None => self.pair.launch(side),
        }
    }

    /// The same, and waits until it answers clients.
    pub fn launch_until_open(&mut self, side: usize, wall: Option<&str>) -> Result<()> {
        self.launch(side, wall)?;
        self.pair.wait_until_open(side)
    }

    /// The same for a node that can reach its partner: what [`Load::fill`] has stored must be there
    /// with its first answer.
    pub fn launch_until_full(&mut self, side: usize, wall: Option<&str>) -> Result<()> {
        self.launch_until_open(side, wall)?;
        has_filling(self.pair.client(side)?, side, &self.load.notes())
    }

    /// Takes no account of what was written until now: it was on no other node.
    pub fn forget(&mut self) {
        for mut notes in self.load.notes() {
            notes.iter_mut().for_each(Note::forget);
        }
    }

    /// Stops the clients until both nodes hold the same, and counts anew from there.
    pub fn settle(&mut self) -> Result<()> {
        let load = Arc::clone(&self.load);
        let notes = load.notes();
        wait_until_equal(&self.pair, self.is_unequal, &notes)?;
        self.sample(0)?;
        self.sample(1)?;
        self.start_over()
    }

    /// Stops the clients, waits until both nodes hold the same if both run, and compares every key
    /// on every node that runs with what was acknowledged. `fault` is what has happened.
    ///
    /// # Errors
    /// The nodes do not answer, or do not come to hold the same. A broken promise is none: it is in
    /// the row.
    pub fn check(&mut self, fault: &str) -> Result<Row> {
        self.check_what(fault, |_| true)
    }

    /// The same after a fault that may cost anything: only what is stale breaks a promise.
    pub fn check_stale(&mut self, fault: &str) -> Result<Row> {
        self.check_what(fault, |finding| finding.verdict == Verdict::Stale)
    }

    fn check_what(&mut self, fault: &str, counts: impl Fn(&Finding) -> bool) -> Result<Row> {
        let load = Arc::clone(&self.load);
        let mut notes = load.notes();
        let running = (0..2).filter(|&side| self.pair.node(side).is_ok());
        let sides: Vec<usize> = running.collect();
        if sides.len() == 2 {
            wait_until_equal(&self.pair, self.is_unequal, &notes)?;
        }
        let mut findings: Vec<Finding> = Vec::new();
        for &side in &sides {
            self.sample(side)?;
            findings.extend(read_all(self.pair.client(side)?, side, &notes)?);
        }
        let is_partner_small = self.is_unequal && sides.len() == 2;
        if is_partner_small {
            findings.retain(|finding| finding.verdict == Verdict::Stale || finding.found.0 == 0);
        }
        // A key that is wrong on both nodes is one.
        findings.sort_by(|left, right| left.key.cmp(&right.key));
        findings.dedup_by(|left, right| left.key == right.key);
        notes.iter_mut().for_each(|notes| {
            notes.iter_mut().for_each(Note::settle);
        });
        for finding in &findings {
            let (client, index) = place_of(&finding.key)?;
            notes[client][index].forget();
        }
        let mut row = Row::named(fault);
        row.done = load.take_done();
        row.lost = count_of(&findings, Verdict::Lost);
        row.stale = count_of(&findings, Verdict::Stale);
        row.unprotected = self.counts.iter().map(Count::growth).sum();
        findings.retain(counts);
        // What the smaller node evicts excuses nothing on the larger one.
        let evicted = if is_partner_small { 0 } else { self.evicted()? };
        let evicted = evicted.saturating_sub(self.evicted_before);
        row.broken = broken_promises(&findings, &self.counts, evicted);
        if sides.len() == 2 {
            self.start_over()?;
        }
        load.send_home();
        Ok(row)
    }

    /// Both nodes hold the same, unless one is too small, and clients write nothing.
    fn start_over(&mut self) -> Result<()> {
        if self.is_unequal {
            return Ok(());
        }
        self.counts.retain(|count| !count.has_ended());
        self.counts.iter_mut().for_each(Count::start_over);
        self.evicted_before = self.evicted()?;
        Ok(())
    }

    /// Asks the process of this side for its counter.
    fn sample(&mut self, side: usize) -> Result<()> {
        let mut client = self.pair.client(side)?;
        let asked_at = Instant::now();
        let stats = client.stats("stats replication")?;
        let unprotected = stats.get("writes_unprotected").context("no counter")?;
        let unprotected = unprotected.parse()?;
        self.count_mut(side)?.update(asked_at, unprotected);
        Ok(())
    }

    fn count_mut(&mut self, side: usize) -> Result<&mut Count> {
        let life = self.load.life(side);
        let mut counts = self.counts.iter_mut();
        counts
            .find(|count| count.life() == life)
            .context("a process without a counter")
    }

    /// Evictions on the nodes that run.
    fn evicted(&self) -> Result<u64> {
        let mut evicted = 0;
        for side in 0..2 {
            if self.pair.node(side).is_ok() {
                let stats = self.pair.client(side)?.stats("stats")?;
                let own = stats.get("evictions").context("no evictions")?;
                evicted += own.parse::<u64>()?;
            }
        }
        Ok(evicted)
    }
}

fn count_of(findings: &[Finding], verdict: Verdict) -> u64 {
    let all = findings.iter().filter(|finding| finding.verdict == verdict);
    all.count() as u64
}
