//! What a pair acknowledged is there after one of its nodes was killed, restarted or frozen.
//!
//! Clients write to both nodes meanwhile. What is missing or old in the end must have been counted
//! in `writes_unprotected` by the process that acknowledged it; see [`protocol_tests::audit`].

use anyhow::{Result, ensure};
use protocol_tests::audit::Audit;
use protocol_tests::audit::faults::{FILLED, Fault, are_survived, begin_sync};

const SEED: u64 = 1;

fn is_survived(fault: impl Fn(usize) -> Fault) -> Result<()> {
    are_survived(SEED, &[fault(0), fault(1)])
}

#[test]
fn a_node_is_killed() -> Result<()> {
    is_survived(Fault::Kill)
}

#[test]
fn a_node_is_lost_with_what_it_was_sending() -> Result<()> {
    is_survived(Fault::LoseHost)
}

#[test]
fn a_node_is_killed_and_back_at_once_with_nothing() -> Result<()> {
    is_survived(Fault::RestartInPlace)
}

#[test]
fn both_nodes_are_killed_one_after_the_other() -> Result<()> {
    is_survived(Fault::RestartInTurn)
}

#[test]
fn a_node_is_frozen_and_goes_on() -> Result<()> {
    is_survived(Fault::Freeze)
}

#[test]
fn a_node_is_frozen_and_its_partner_killed() -> Result<()> {
    is_survived(Fault::FreezeThenKillOther)
}

#[test]
fn a_node_is_killed_while_it_is_filled() -> Result<()> {
    is_survived(Fault::KillTargetOfSync)
}

/// Then the only node that had everything is gone. What the other one has received is there, as new
/// as what was protected, and the pair goes on.
#[test]
fn a_node_is_killed_while_it_fills_its_partner() -> Result<()> {
    for source in [0, 1] {
        let mut audit = Audit::start(&[], SEED)?;
        audit.load().fill(source, FILLED)?;
        audit.settle()?;
        audit.kill(1 - source)?;
        begin_sync(&mut audit, 1 - source)?;
        audit.kill(source)?;
        audit.heal();
        audit.pair().wait_until_open(1 - source)?;
        audit.run(200)?;
        audit.launch_until_open(source, None)?;
        let row = audit.check_stale("the source of a full sync is killed")?;
        ensure!(row.lost > 0, "the full sync had ended: {row:?}");
        row.ensure_kept()?;
        audit.run(200)?;
        audit.check("afterwards")?.ensure_kept()?;
    }
    Ok(())
}

/// Both nodes lost at once lose everything, and are a pair again.
#[test]
fn both_nodes_are_killed_at_once() -> Result<()> {
    let mut audit = Audit::start(&[], SEED)?;
    let keys: Vec<String> = (0..FILLED).map(|index| format!("both{index}")).collect();
    let mut client = audit.pair().client(0)?;
    for key in &keys {
        ensure!(client.set(key, b"x")? == "STORED");
    }
    audit.kill(0)?;
    audit.kill(1)?;
    audit.forget();
    audit.launch(0, None)?;
    audit.launch(1, None)?;
    for side in [0, 1] {
        audit.pair().wait_until_open(side)?;
        let mut client = audit.pair().client(side)?;
        for key in &keys {
            ensure!(client.get(key)?.is_none(), "{key} on side {side}");
        }
    }
    audit.run(500)?;
    audit.check("both at once")?.ensure_kept()
}
