//! When a node of a pair opens its client port, and how it ends.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::pair::{PATIENCE, Pair, eventually, fill, keys};
use protocol_tests::server::Address;

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];

#[test]
fn a_node_without_its_partner_opens_alone_and_shares_later() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "1s"])?;
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    let all = keys("alone", 100);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.launch(1)?;
    pair.wait_until_open(1)?;
    let mut client = pair.client(1)?;
    for key in &all {
        ensure!(client.get(key)?.is_some(), "{key} was missed");
    }
    Ok(())
}

#[test]
fn a_node_that_must_not_be_alone_stays_closed_until_its_partner_comes() -> Result<()> {
    for first in [0, 1] {
        let mut pair = Pair::prepare(&NEVER_ALONE)?;
        pair.launch(first)?;
        stays_closed(&pair, first)?;
        pair.launch(1 - first)?;
        pair.wait_until_open(first)?;
        pair.wait_until_open(1 - first)?;
    }
    Ok(())
}

#[test]
fn two_equal_sides_refuse_each_other_and_stay_closed() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "1s"])?;
    // Both are side 0 and would dial; the second one's partner address is the first's own.
    pair.set_flag(1, "--side", "0")?;
    pair.launch(0)?;
    pair.launch(1)?;
    both_stay_closed_and_name(&pair, "side")
}

/// Two nodes that both are side 1 dial nobody. They did not find out, and both served alone.
#[test]
fn two_nodes_that_wait_to_be_dialled_refuse_each_other_and_stay_closed() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "2s"])?;
    pair.set_flag(0, "--side", "1")?;
    pair.launch(0)?;
    pair.launch(1)?;
    both_stay_closed_and_name(&pair, "both nodes have side 1")
}

#[test]
fn a_stranger_is_refused_and_neither_opens() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "1s"])?;
    let key = pair.strangers_key()?.to_string_lossy().into_owned();
    pair.set_flag(1, "--key-file", &key)?;
    pair.launch(0)?;
    pair.launch(1)?;
    both_stay_closed_and_name(&pair, "key")
}

fn both_stay_closed_and_name(pair: &Pair, reason: &str) -> Result<()> {
    for side in 0..2 {
        stays_closed(pair, side)?;
        let log = pair.node(side)?.log();
        ensure!(log.contains(reason), "side {side} does not say why:\n{log}");
    }
    Ok(())
}

/// Long enough for a node with `--start-alone-after 1s` to open if it were going to.
fn stays_closed(pair: &Pair, side: usize) -> Result<()> {
    for _ in 0..60 {
        thread::sleep(Duration::from_millis(50));
        let node = pair.node(side)?;
        ensure!(
            !node.answers(),
            "side {side} answers clients:\n{}",
            node.log()
        );
        ensure!(node.is_running(), "side {side} has ended:\n{}", node.log());
    }
    Ok(())
}

#[test]
fn a_pair_ends_on_request() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    ensure!(pair.client(0)?.set("key", b"x")? == "STORED");
    pair.wait_for_value(1, "key", Some(b"x"))?;
    for side in 0..2 {
        let mut node = pair.take(side)?;
        node.signal(rustix::process::Signal::TERM)?;
        let status = node.wait_for_end(PATIENCE)?;
        ensure!(
            status.success(),
            "side {side} ended with {status}:\n{}",
            node.log()
        );
    }
    Ok(())
}

/// A node that waits for its partner has its port, but does not listen yet, and another process may
/// take the port from it. The node said so in its log and lived on: its supervisor saw a process in
/// good health, which no client could reach until somebody read the log.
#[test]
fn a_node_whose_port_was_taken_while_it_waited_ends() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "5s"])?;
    pair.launch(0)?;
    let mut node = pair.take(0)?;
    eventually("the node waits", || Ok(node.log().contains("for clients")))?;
    let Address::Tcp(address) = node.address() else {
        anyhow::bail!("a node of a pair has no TCP port");
    };
    let _taken = TcpListener::bind(*address)?;
    let status = node.wait_for_end(PATIENCE)?;
    ensure!(status.code() == Some(71), "{status}:\n{}", node.log());
    Ok(())
}
