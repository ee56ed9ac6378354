//! A node that starts while its partner's process is frozen.
//!
//! The system of a frozen process still accepts connections for it, so such a partner is there and
//! says nothing. It counted as absent: the node opened empty after 2.1 s and answered a thousand
//! misses for items that were in the memory of its partner, each of which logs somebody out.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::pair::{Pair, eventually, fill, keys};
use protocol_tests::server::Address;

const ALONE_SOON: [&str; 2] = ["--start-alone-after", "2s"];
const SILENT: &str = "accepts connections and says nothing";

#[test]
fn a_node_waits_for_a_frozen_partner_and_answers_no_miss() -> Result<()> {
    for frozen in [0, 1] {
        let mut pair = Pair::start(&ALONE_SOON)?;
        let starts = 1 - frozen;
        let all = keys("session", 500);
        fill(&mut pair.client(starts)?, &all, "first")?;
        pair.wait_until_equal(&all)?;
        pair.freeze(frozen)?;
        pair.kill(starts);
        pair.launch(starts)?;
        stays_closed(&pair, starts, Duration::from_secs(6))?;
        pair.node(starts)?.wait_until_logged(SILENT)?;
        pair.thaw(frozen)?;
        pair.wait_until_open(starts)?;
        let mut client = pair.client(starts)?;
        for key in &all {
            ensure!(client.get(key)?.is_some(), "{key} was missed");
        }
        pair.wait_for_stat(starts, "link", "up")?;
        let log = pair.node(frozen)?.log();
        ensure!(!log.contains("unauthenticated"), "side {frozen}:\n{log}");
    }
    Ok(())
}

#[test]
fn a_partner_that_stays_frozen_is_given_up_in_the_end() -> Result<()> {
    let mut pair = Pair::start(&ALONE_SOON)?;
    pair.freeze(1)?;
    pair.kill(0);
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    let log = pair.node(0)?.log();
    ensure!(
        log.contains("serving alone") && log.contains(SILENT),
        "{log}"
    );
    // It comes back all the same.
    ensure!(pair.client(0)?.set("alone", b"x")? == "STORED");
    pair.thaw(1)?;
    pair.wait_for_value(1, "alone", Some(b"x"))
}

/// Each connection that a frozen process has not accepted takes one of the places for them. When
/// all are taken the partner looks unreachable, and cannot be reached at once when it wakes up.
#[test]
fn a_silent_partner_is_dialled_once() -> Result<()> {
    for side in [0, 1] {
        // Nobody ever accepts.
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let mut pair = Pair::prepare(&["--start-alone-after", "1s"])?;
        pair.set_flag(side, "--failover", &silent.local_addr()?.to_string())?;
        pair.launch(side)?;
        pair.node(side)?.wait_until_logged(SILENT)?;
        // Longer than several attempts.
        stays_closed(&pair, side, Duration::from_secs(5))?;
        silent.set_nonblocking(true)?;
        let waiting: Vec<TcpStream> = silent.incoming().map_while(Result::ok).collect();
        ensure!(
            waiting.len() == 1,
            "{} connections of side {side}",
            waiting.len()
        );
    }
    Ok(())
}

/// Side 1 is dialled, so it has to look for side 0 itself. To side 0 it is neither a link nor a
/// stranger.
#[test]
fn a_side_0_that_runs_and_cannot_dial_is_waited_for_too() -> Result<()> {
    let mut pair = Pair::prepare(&ALONE_SOON)?;
    // Side 0 never reaches side 1.
    pair.link().cut();
    pair.add_flag(0, "--start-alone-after=0s");
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    ensure!(pair.client(0)?.set("key", b"x")? == "STORED");
    pair.launch(1)?;
    stays_closed(&pair, 1, Duration::from_secs(5))?;
    pair.node(1)?.wait_until_logged("side 0 runs")?;
    ensure!(pair.stat(0, "link")? == "down" && pair.stat(0, "unauthenticated_links")? == "0");
    pair.link().heal();
    pair.wait_until_open(1)?;
    ensure!(pair.client(1)?.get("key")?.is_some(), "key was missed");
    Ok(())
}

/// A node that is killed leaves a port that refuses: it is absent, and is not waited for.
#[test]
fn a_partner_whose_host_refuses_connections_is_absent() -> Result<()> {
    let mut pair = Pair::prepare(&ALONE_SOON)?;
    let Address::Tcp(nobody) = pair.link_address(0) else {
        anyhow::bail!("the link is TCP");
    };
    pair.set_flag(1, "--failover", &nobody.to_string())?;
    pair.launch(1)?;
    eventually("it serves alone", || {
        Ok(pair.node(1)?.log().contains("serving alone"))
    })?;
    pair.wait_until_open(1)?;
    let log = pair.node(1)?.log();
    ensure!(!log.contains(SILENT), "{log}");
    Ok(())
}

fn stays_closed(pair: &Pair, side: usize, time: Duration) -> Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 0..time.as_millis() / PAUSE.as_millis() {
        thread::sleep(PAUSE);
        let node = pair.node(side)?;
        ensure!(!node.answers(), "side {side} answers:\n{}", node.log());
        ensure!(node.is_running(), "side {side} has ended:\n{}", node.log());
    }
    Ok(())
}
