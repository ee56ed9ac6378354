//! What both nodes must agree on is changed by restarting one node after the other.
//!
//! A key could only be changed, and a setting of the pair only corrected, by stopping both nodes at
//! once: nodes that differed refused each other. Whoever did it lost every session.

use std::fs;

use anyhow::{Result, ensure};
use protocol_tests::pair::{PATIENCE, Pair, fill, keys};
use rustix::process::Signal;

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];
const DIFFER: &str = "the settings of the two nodes differ";

/// Restarts this side, and checks that both hold everything and are linked.
fn restart(pair: &mut Pair, side: usize, all: &[String]) -> Result<()> {
    let mut node = pair.take(side)?;
    node.signal(Signal::TERM)?;
    let status = node.wait_for_end(PATIENCE)?;
    ensure!(status.success(), "{status}:\n{}", node.log());
    pair.launch(side)?;
    pair.wait_until_open(side)?;
    for side in 0..2 {
        pair.wait_for_stat(side, "link", "up")?;
        let mut client = pair.client(side)?;
        for key in all {
            ensure!(client.get(key)?.is_some(), "side {side} has lost {key}");
        }
    }
    // It works in both directions.
    for side in 0..2 {
        let mark = format!("after the restart of {side}");
        ensure!(pair.client(side)?.set("mark", mark.as_bytes())? == "STORED");
        pair.wait_for_value(1 - side, "mark", Some(mark.as_bytes()))?;
    }
    Ok(())
}

#[test]
fn a_key_is_changed_by_restarting_one_node_after_the_other() -> Result<()> {
    let mut pair = Pair::prepare(&NEVER_ALONE)?;
    let new = fs::read_to_string(pair.strangers_key()?)?;
    let old = fs::read_to_string(pair.key())?;
    let files = [0, 1].map(|side| pair.folder().join(format!("side{side}.pem")));
    for (side, file) in files.iter().enumerate() {
        // A copy keeps the mode.
        fs::copy(pair.key(), file)?;
        pair.set_flag(side, "--key-file", &file.to_string_lossy())?;
        pair.launch(side)?;
    }
    let all = keys("session", 300);
    pair.wait_until_open(0)?;
    pair.wait_until_open(1)?;
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    for text in [format!("{old}{new}"), format!("{new}{old}"), new] {
        for (side, file) in files.iter().enumerate() {
            fs::write(file, &text)?;
            restart(&mut pair, side, &all)?;
        }
    }
    Ok(())
}

#[test]
fn a_setting_is_changed_by_restarting_one_node_after_the_other() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("session", 300);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    pair.set_flag(0, "--msm-nodes", "n1,n2,n3")?;
    restart(&mut pair, 0, &all)?;
    for side in 0..2 {
        let node = pair.node(side)?;
        node.wait_until_logged(DIFFER)?;
        let log = node.log();
        for text in ["nodes=n1,n2 ", "nodes=n1,n2,n3 "] {
            ensure!(
                log.contains(text),
                "side {side} does not name {text}:\n{log}"
            );
        }
    }
    pair.set_flag(1, "--msm-nodes", "n1,n2,n3")?;
    restart(&mut pair, 1, &all)?;
    let log = pair.node(1)?.log();
    ensure!(!log.contains(DIFFER), "{log}");
    Ok(())
}

#[test]
fn nodes_that_name_different_addresses_are_linked_and_both_say_so() -> Result<()> {
    // Side 0 dials side 1 through a proxy, which has an address of its own.
    let pair = Pair::start(&NEVER_ALONE)?;
    for side in 0..2 {
        let node = pair.node(side)?;
        node.wait_until_logged("name different addresses")?;
        let log = node.log();
        let proxy = pair.link().address().to_string();
        ensure!(
            log.contains(&proxy),
            "side {side} does not name {proxy}:\n{log}"
        );
        let lines = log.matches("name different addresses").count();
        ensure!(lines == 1, "side {side} names more than one:\n{log}");
    }
    Ok(())
}
