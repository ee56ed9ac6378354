//! A third node that holds the key of a pair and claims the side of one that runs.
//!
//! It took the link over, the other took it back, and so on ten times a second, each time with the
//! whole table (1.94 million records in 10 s for 20,000 items); and it served clients.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use protocol_tests::link::{ALPN, Hello, LinkPeer, REFUSE};
use protocol_tests::pair::{PATIENCE, Pair, eventually, fill, keys};
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::Subject;

const FLAGS: [&str; 2] = ["--start-alone-after", "2s"];
/// What both nodes say.
const REASON: &str = "linked to another process of side 0";

/// Another process with the flags of this side, on ports of its own, and this partner.
fn second_of(pair: &Pair, side: usize, partner: SocketAddr) -> Result<Server> {
    let port = free_port()?;
    let mut flags = pair.flags(side).to_vec();
    let own = [
        ("-p", port.to_string()),
        ("--replication-listen", loopback(free_port()?).to_string()),
        ("--failover", partner.to_string()),
    ];
    for (name, value) in own {
        let at = flags.iter().position(|flag| flag == name);
        if let Some(at) = at {
            flags[at + 1] = value;
        }
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Server::spawn(&Subject::memtwin()?, &flags, Address::Tcp(loopback(port)))
}

/// Another process of side 0 that dials side 1.
fn third(pair: &Pair) -> Result<Server> {
    second_of(pair, 0, link_port(pair, 1)?)
}

fn link_port(pair: &Pair, side: usize) -> Result<SocketAddr> {
    match pair.link_address(side) {
        Address::Tcp(address) => Ok(address),
        _ => bail!("the link is TCP"),
    }
}

/// This process serves no client for longer than it would wait for an absent partner, however often
/// it tries, and the pair keeps its link.
fn stays_out(pair: &Pair, other: &Server) -> Result<()> {
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(50));
        ensure!(!other.answers(), "it serves clients:\n{}", other.log());
    }
    for side in 0..2 {
        for stat in ["link_ups", "pass_sent"] {
            let value = pair.stat(side, stat)?;
            ensure!(value == "1", "side {side}: {stat} is {value}");
        }
    }
    Ok(())
}

#[test]
fn a_second_node_of_a_side_does_not_touch_the_link_of_the_first() -> Result<()> {
    let pair = Pair::start(&FLAGS)?;
    let all = keys("session", 500);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    let third = third(&pair)?;
    eventually("both logs say why", || {
        Ok(third.log().contains(REASON) && pair.node(1)?.log().contains(REASON))
    })?;
    stays_out(&pair, &third)?;
    ensure!(pair.client(0)?.set("session0", b"changed")? == "STORED");
    pair.wait_for_value(1, "session0", Some(b"changed"))?;
    for log in [third.log(), pair.node(1)?.log()] {
        let lines = log.lines().filter(|line| line.contains(REASON)).count();
        ensure!(lines <= 2, "{lines} lines say the same:\n{log}");
    }
    Ok(())
}

/// A second side 1 is dialled by nobody, and would serve an empty table after a while.
#[test]
fn a_second_side_1_is_refused_by_the_partner_of_the_first_and_serves_nobody() -> Result<()> {
    let pair = Pair::start(&FLAGS)?;
    let all = keys("session", 500);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    let second = second_of(&pair, 1, link_port(&pair, 0)?)?;
    let reason = "linked to another process of side 1";
    eventually("both logs say why", || {
        Ok(second.log().contains(reason) && pair.node(0)?.log().contains(reason))
    })?;
    stays_out(&pair, &second)?;
    ensure!(pair.stat(0, "unauthenticated_links")? == "0");
    pair.wait_until_equal(&all)
}

#[test]
fn a_killed_node_that_is_restarted_at_once_links_again() -> Result<()> {
    let mut pair = Pair::start(&["--start-alone-after", "never"])?;
    let all = keys("session", 500);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    for _ in 0..3 {
        pair.kill(0);
        pair.launch(0)?;
        pair.wait_until_open(0)?;
        pair.wait_until_equal(&all)?;
    }
    Ok(())
}

#[test]
fn a_new_process_takes_over_from_one_that_fell_silent() -> Result<()> {
    let pair = Pair::start(&["--start-alone-after", "never"])?;
    let all = keys("session", 500);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    // Like a host that has died: its connection stays open.
    pair.freeze(0)?;
    let successor = third(&pair)?;
    successor.wait_until_it_answers(PATIENCE)?;
    let mut client = successor.connect()?;
    for key in &all {
        ensure!(client.get(key)?.is_some(), "{key} was missed");
    }
    // The first wakes up, and is the second now.
    pair.thaw(0)?;
    eventually("it is refused", || Ok(pair.node(0)?.log().contains(REASON)))?;
    ensure!(client.set("session0", b"successor's")? == "STORED");
    pair.wait_for_value(1, "session0", Some(b"successor's"))
}

/// What holds the key and says something else than a hello, or nothing, costs the link nothing.
#[test]
fn a_peer_with_the_key_that_says_no_hello_is_a_stranger() -> Result<()> {
    let pair = Pair::start(&FLAGS)?;
    for (count, frame) in [&[0, 0, 0, 1, 11][..], &[0xff; 8], &[]]
        .into_iter()
        .enumerate()
    {
        let mut peer = LinkPeer::connect(link_port(&pair, 1)?, Some(&pair.key()), &[ALPN])?;
        peer.send(frame)?;
        // Hung up on, at the latest when the proof is overdue.
        let _ = peer.read_to_end();
        let strangers = (count + 1).to_string();
        pair.wait_for_stat(1, "unauthenticated_links", &strangers)?;
    }
    let mut peer = LinkPeer::connect(link_port(&pair, 1)?, Some(&pair.key()), &[ALPN])?;
    peer.say_hello(Hello {
        side: 0,
        incarnation: 7,
        ahead: Duration::ZERO,
    })?;
    let (kind, reason) = peer.read_frame()?;
    let reason = String::from_utf8_lossy(&reason).into_owned();
    ensure!(
        kind == REFUSE && reason.contains(REASON),
        "{kind}: {reason}"
    );
    ensure!(pair.stat(1, "link_ups")? == "1");
    Ok(())
}
