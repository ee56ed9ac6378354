//! How a node of a pair ends: its partner gets what it may not have, even if the link is not up at
//! that moment.
//!
//! A node took a link that was not up, or not yet through its greeting, for one that owes nothing.
//! A cut link, a frozen partner or a partner that had just been restarted (as when both nodes are
//! restarted one after the other) cost every write since, brought deleted keys back, or left both
//! nodes empty.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::pair::{PATIENCE, Pair, fill, keys};
use protocol_tests::server::Server;
use rustix::process::Signal;

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];
const WAITS: &str = "waiting for the partner";
const LEAVES_BEHIND: &str = "stopped before the partner had everything";

#[test]
fn a_partner_that_can_be_reached_again_gets_everything() -> Result<()> {
    for side in [0, 1] {
        let (mut pair, other) = (pair_with_old(side)?, 1 - side);
        pair.link().cut();
        pair.wait_for_stat(side, "link", "down")?;
        let (node, written) = writes_and_stops(&mut pair, side)?;
        thread::sleep(Duration::from_millis(300));
        pair.link().heal();
        ends_well(node)?;
        has_all_and_not_old(&pair, other, &written)?;
    }
    Ok(())
}

#[test]
fn a_partner_that_was_frozen_gets_everything() -> Result<()> {
    for side in [0, 1] {
        let (mut pair, other) = (pair_with_old(side)?, 1 - side);
        pair.freeze(other)?;
        let (node, written) = writes_and_stops(&mut pair, side)?;
        // Longer than the link takes to notice the silence.
        thread::sleep(Duration::from_millis(1500));
        pair.thaw(other)?;
        ends_well(node)?;
        has_all_and_not_old(&pair, other, &written)?;
    }
    Ok(())
}

#[test]
fn a_partner_that_has_just_been_restarted_gets_everything() -> Result<()> {
    for first in [0, 1] {
        let mut pair = Pair::start(&NEVER_ALONE)?;
        let all = keys("key", 1000);
        fill(&mut pair.client(first)?, &all, "first")?;
        pair.wait_until_equal(&all)?;
        stop(pair.take(first)?)?;
        pair.launch(first)?;
        // At once: not even its client port is awaited.
        stop(pair.take(1 - first)?)?;
        pair.wait_until_open(first)?;
        let mut client = pair.client(first)?;
        for key in &all {
            ensure!(client.get(key)?.is_some(), "{key} is lost");
        }
    }
    Ok(())
}

#[test]
fn a_node_alone_with_its_items_waits_and_says_what_was_lost() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "0"])?;
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    fill(&mut pair.client(0)?, &keys("key", 7), "alone")?;
    let log = stop(pair.take(0)?)?;
    for line in [WAITS, LEAVES_BEHIND, "items=7 deletions=0"] {
        ensure!(log.contains(line), "no word of {line:?}:\n{log}");
    }
    Ok(())
}

#[test]
fn who_owes_nothing_does_not_wait() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "0"])?;
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    let log = stop(pair.take(0)?)?;
    ensure!(!log.contains(WAITS), "{log}");

    let mut pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("key", 100);
    fill(&mut pair.client(0)?, &all, "first")?;
    let log = stop(pair.take(0)?)?;
    ensure!(!log.contains(WAITS), "{log}");
    let mut client = pair.client(1)?;
    for key in &all {
        ensure!(client.get(key)?.is_some(), "{key} is lost");
    }
    Ok(())
}

/// A pair of which both nodes hold `old`, written on this side.
fn pair_with_old(side: usize) -> Result<Pair> {
    let pair = Pair::start(&NEVER_ALONE)?;
    ensure!(pair.client(side)?.set("old", b"x")? == "STORED");
    pair.wait_for_value(1 - side, "old", Some(b"x"))?;
    Ok(pair)
}

/// A node that is told to stop after writes and a deletion of `old` that its partner has not got.
fn writes_and_stops(pair: &mut Pair, side: usize) -> Result<(Server, Vec<String>)> {
    let written = keys("written", 100);
    let mut client = pair.client(side)?;
    fill(&mut client, &written, "alone")?;
    client.expect("delete old", "DELETED")?;
    let node = pair.take(side)?;
    node.signal(Signal::TERM)?;
    Ok((node, written))
}

/// Ends a node with SIGTERM; its log.
fn stop(node: Server) -> Result<String> {
    node.signal(Signal::TERM)?;
    ends_well(node)
}

fn ends_well(mut node: Server) -> Result<String> {
    let status = node.wait_for_end(PATIENCE)?;
    let log = node.log();
    ensure!(status.success(), "{status}:\n{log}");
    Ok(log)
}

fn has_all_and_not_old(pair: &Pair, side: usize, written: &[String]) -> Result<()> {
    let mut client = pair.client(side)?;
    for key in written {
        ensure!(client.get(key)?.is_some(), "{key} is lost");
    }
    ensure!(client.get("old")?.is_none(), "a deleted key is back");
    Ok(())
}

/// Nodes ended 5 s after the signal, however well the partner got on with the table. On a slow
/// link, or with a large table, two nodes restarted in turn lost what had not arrived.
#[test]
fn a_node_gives_everything_however_long_it_takes_while_the_partner_gets_on() -> Result<()> {
    for first in [0, 1] {
        let mut pair = Pair::start(&NEVER_ALONE)?;
        let all = keys("large", 120);
        let value = vec![b'v'; 50_000];
        let mut client = pair.client(first)?;
        for key in &all {
            ensure!(client.set(key, &value)? == "STORED");
        }
        pair.wait_until_equal(&all)?;
        stop(pair.take(first)?)?;
        // The table now travels for more than 5 s.
        pair.link().delay(80);
        pair.launch(first)?;
        pair.node(first)?.wait_until_logged("link up")?;
        let node = pair.take(1 - first)?;
        node.signal(Signal::TERM)?;
        let log = ends_well(node)?;
        ensure!(!log.contains(LEAVES_BEHIND), "{log}");
        pair.wait_until_open(first)?;
        let mut client = pair.client(first)?;
        for key in &all {
            ensure!(client.get(key)?.is_some(), "{key} is lost");
        }
    }
    Ok(())
}
