//! What a pair acknowledged is there after a node was killed whose partner is smaller, or it was
//! counted as unprotected, or the partner has evicted it and counted that.

use anyhow::{Result, ensure};
use protocol_tests::audit::Audit;
use protocol_tests::audit::faults::FILLED;

const SEED: u64 = 4;

/// The node that is killed is the larger one: its partner has what fits.
fn larger_node_is_killed(flags: &[&str]) -> Result<()> {
    let mut audit = Audit::start_unequal(flags, SEED)?;
    audit.load().fill(0, FILLED)?;
    audit.run(500)?;
    let refused: u64 = audit.pair().stat(0, "records_no_room")?.parse()?;
    let stats = audit.pair().client(1)?.stats("stats")?;
    let is_full = refused > 0 || stats.get("evictions").is_some_and(|count| count != "0");
    ensure!(is_full, "the smaller node has room for everything");
    audit.kill(0)?;
    audit.run(500)?;
    let row = audit.check("the larger node is killed")?;
    ensure!(row.lost > 0, "the smaller node has everything: {row:?}");
    row.ensure_kept()
}

/// The larger one has everything, whatever its partner could not take.
fn smaller_node_is_killed(flags: &[&str]) -> Result<()> {
    let mut audit = Audit::start_unequal(flags, SEED)?;
    audit.load().fill(0, FILLED)?;
    audit.run(500)?;
    audit.kill(1)?;
    audit.run(500)?;
    audit.launch_until_open(1, None)?;
    audit.run(500)?;
    audit.check("the smaller node is killed")?.ensure_kept()
}

#[test]
fn a_partner_has_less_memory() -> Result<()> {
    larger_node_is_killed(&["-m", "16"])?;
    smaller_node_is_killed(&["-m", "16"])
}

#[test]
fn a_partner_takes_smaller_values_only() -> Result<()> {
    larger_node_is_killed(&["-I", "50k"])?;
    smaller_node_is_killed(&["-I", "50k"])
}
