//! The log says a thing once, however often the link tries again.
//!
//! A partner whose clock was far ahead made ten lines a second, then 1.4 a second without end; so
//! did a link that came up and ended at once. What repeats is counted, and reminded of once a
//! minute.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use protocol_tests::link::{ALPN, HELLO, Hello, LinkPeer, REFUSE, WELCOME};
use protocol_tests::pair::{Pair, eventually};
use protocol_tests::server::Address;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ATTEMPTS: u64 = 40;
/// A state that flaps is logged so often in a minute, and the tests take less than two.
const CHANGES_MAX: usize = 2 * 10;

/// Side 1, which serves alone; and where it is dialled.
fn alone() -> Result<(Pair, SocketAddr)> {
    let mut pair = Pair::prepare(&["--start-alone-after", "0s"])?;
    pair.launch(1)?;
    pair.wait_until_open(1)?;
    let Address::Tcp(address) = pair.link_address(1) else {
        bail!("the link is TCP");
    };
    Ok((pair, address))
}

/// One connection as side 0, to the answer of its hello: the node's hello, or its refusal.
fn attempt(pair: &Pair, address: SocketAddr, ahead: Duration) -> Result<(u8, LinkPeer)> {
    let mut peer = LinkPeer::connect(address, Some(&pair.key()), &[ALPN])?;
    peer.say_hello(Hello {
        side: 0,
        incarnation: 1,
        ahead,
    })?;
    ensure!(peer.read_frame()?.0 == HELLO);
    Ok((peer.read_frame()?.0, peer))
}

fn lines(pair: &Pair, side: usize, what: &str) -> Result<usize> {
    let log = pair.node(side)?.log();
    Ok(log.lines().filter(|line| line.contains(what)).count())
}

#[test]
fn a_clock_ahead_is_logged_once_however_often_the_partner_comes() -> Result<()> {
    let (pair, address) = alone()?;
    for _ in 0..ATTEMPTS {
        let (answer, _) = attempt(&pair, address, 200 * DAY)?;
        ensure!(answer == WELCOME);
    }
    let said = lines(&pair, 1, "clock is ahead")?;
    ensure!((1..=2).contains(&said), "{said} lines");
    Ok(())
}

#[test]
fn a_refused_partner_is_logged_once_however_often_it_comes() -> Result<()> {
    let (pair, address) = alone()?;
    for _ in 0..ATTEMPTS {
        let (answer, _) = attempt(&pair, address, 500 * DAY)?;
        ensure!(answer == REFUSE);
    }
    let said = lines(&pair, 1, "days ahead")?;
    ensure!((1..=2).contains(&said), "{said} lines");
    Ok(())
}

#[test]
fn a_link_that_flaps_is_logged_some_times_and_then_counted() -> Result<()> {
    let (pair, address) = alone()?;
    for up in 1..=ATTEMPTS {
        let (_, mut peer) = attempt(&pair, address, Duration::ZERO)?;
        peer.welcome()?;
        pair.wait_for_stat(1, "link_ups", &up.to_string())?;
    }
    pair.wait_for_stat(1, "link", "down")?;
    for what in ["link up", "link down", "our table"] {
        let said = lines(&pair, 1, what)?;
        ensure!(said <= CHANGES_MAX, "{said} lines of \"{what}\"");
    }
    Ok(())
}

/// It said "no partner answered", and people looked for the fault at the partner.
#[test]
fn a_partners_name_that_cannot_be_resolved_is_named() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "3s"])?;
    pair.set_flag(0, "--failover", "no-such-host.invalid:11311")?;
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    // Some more lookups.
    thread::sleep(Duration::from_secs(2));
    eventually("the lookup has failed", || {
        Ok(lines(&pair, 0, "cannot be resolved")? > 0)
    })?;
    ensure!(lines(&pair, 0, "cannot be resolved")? == 1);
    let log = pair.node(0)?.log();
    let alone = log.lines().find(|line| line.contains("serving alone"));
    ensure!(
        alone.is_some_and(|line| line.contains("no-such-host.invalid")),
        "{alone:?}"
    );
    Ok(())
}
