//! Two real memtwin processes whose partner dies, freezes or cannot be reached.
//!
//! Convergence is waited for by asking again and again within a generous bound; no test asserts
//! how long anything takes.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually, fill, keys};

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];
/// What a client of a frozen node's partner waits at most. MSM's operations time out after one
/// second; this only has to tell "answers" from "blocked".
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);

/// The promise MSM lives by: an empty node answers no miss for what its partner holds.
#[test]
fn a_killed_node_is_full_again_before_it_answers() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("session", 3000);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    for victim in [0, 1, 0] {
        pair.kill(victim);
        let written = keys(&format!("while{victim}down"), 100);
        fill(&mut pair.client(1 - victim)?, &written, "alone")?;
        pair.client(1 - victim)?
            .expect("delete session7", "DELETED")?;
        pair.launch(victim)?;
        pair.wait_until_open(victim)?;
        // No waiting here: everything is there with the first answer.
        let mut client = pair.client(victim)?;
        for key in written.iter().chain(&all).filter(|key| *key != "session7") {
            ensure!(
                client.get(key)?.is_some(),
                "{key} was missed on side {victim}"
            );
        }
        ensure!(
            client.get("session7")?.is_none(),
            "a deleted key is back on side {victim}"
        );
        ensure!(client.set("session7", b"again")? == "STORED");
        pair.wait_for_value(1 - victim, "session7", Some(b"again"))?;
    }
    Ok(())
}

#[test]
fn what_was_deleted_stays_deleted_over_restarts_of_both() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("key", 500);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    for (round, key) in all.iter().take(6).enumerate() {
        let victim = round % 2;
        pair.client(1 - victim)?
            .expect(&format!("delete {key}"), "DELETED")?;
        pair.kill(victim);
        pair.launch(victim)?;
        pair.wait_until_open(victim)?;
        ensure!(pair.client(victim)?.get(key)?.is_none(), "{key} is back");
    }
    pair.wait_until_equal(&all)?;
    let mut client = pair.client(0)?;
    for (index, key) in all.iter().enumerate() {
        ensure!(
            client.get(key)?.is_some() == (index >= 6),
            "{key} on side 0"
        );
    }
    Ok(())
}

#[test]
fn a_frozen_partner_blocks_no_client() -> Result<()> {
    for frozen in [1, 0] {
        let pair = Pair::start(&NEVER_ALONE)?;
        let here = 1 - frozen;
        let mut client = pair.client(here)?;
        client.set_patience(CLIENT_PATIENCE);
        pair.freeze(frozen)?;
        let value = vec![b'v'; 100_000];
        let all = keys("large", 300);
        // More than sockets buffer, so that the link really stands still.
        for key in &all {
            ensure!(client.set(key, &value)? == "STORED");
        }
        ensure!(client.get("large0")?.is_some() && client.ask("delete large0")? == "DELETED");
        let mut other = pair.client(here)?;
        other.set_patience(CLIENT_PATIENCE);
        ensure!(other.set("other", b"x")? == "STORED", "another client");
        pair.thaw(frozen)?;
        pair.wait_for_value(frozen, "other", Some(b"x"))?;
        pair.wait_until_equal(&all)?;
    }
    Ok(())
}

#[test]
fn a_link_that_stands_still_blocks_no_client() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let mut client = pair.client(0)?;
    client.set_patience(CLIENT_PATIENCE);
    pair.link().hold();
    let all = keys("key", 200);
    for key in &all {
        ensure!(client.set(key, &[b'v'; 50_000])? == "STORED");
    }
    pair.link().heal();
    pair.wait_until_equal(&all)
}

#[test]
fn both_sides_of_a_cut_link_agree_after_it_is_healed() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let (common, left, right) = (keys("common", 300), keys("left", 50), keys("right", 50));
    fill(&mut pair.client(0)?, &common, "first")?;
    pair.wait_until_equal(&common)?;
    pair.link().cut();
    pair.wait_for_stat(0, "link", "down")?;
    pair.wait_for_stat(1, "link", "down")?;
    let (mut zero, mut one) = (pair.client(0)?, pair.client(1)?);
    fill(&mut zero, &left, "left")?;
    fill(&mut one, &right, "right")?;
    // Deleted on one side only; written on both, the later one wins, whatever its side.
    zero.expect("delete common0", "DELETED")?;
    one.expect("delete common1", "DELETED")?;
    later(&mut zero, &mut one, "common2")?;
    later(&mut one, &mut zero, "common3")?;
    // Deleted here, then written there; written here, then deleted there.
    zero.expect("delete common4", "DELETED")?;
    pause();
    ensure!(one.set("common4", b"later")? == "STORED");
    ensure!(one.set("common5", b"earlier")? == "STORED");
    pause();
    zero.expect("delete common5", "DELETED")?;
    pair.link().heal();
    let all: Vec<String> = [common, left, right].concat();
    pair.wait_for_stat(0, "link", "up")?;
    pair.wait_until_equal(&all)?;
    for client in [&mut zero, &mut one] {
        for gone in ["common0", "common1", "common5"] {
            ensure!(client.get(gone)?.is_none(), "{gone} is back");
        }
        for won in ["common2", "common3", "common4"] {
            let value = client.get(won)?;
            ensure!(
                value.as_deref() == Some(b"later".as_slice()),
                "{won} is {value:?}"
            );
        }
        for key in &all[6..] {
            ensure!(client.get(key)?.is_some(), "{key} is lost");
        }
    }
    Ok(())
}

/// Writes `key` on the first, then on the second.
fn later(first: &mut Client, second: &mut Client, key: &str) -> Result<()> {
    ensure!(first.set(key, b"earlier")? == "STORED");
    pause();
    ensure!(second.set(key, b"later")? == "STORED");
    Ok(())
}

/// The two nodes share this machine's clock; stamps are milliseconds.
fn pause() {
    thread::sleep(Duration::from_millis(20));
}

#[test]
fn a_flush_during_a_cut_kills_what_is_older_and_nothing_newer() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("key", 100);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    pair.link().cut();
    pair.wait_for_stat(1, "link", "down")?;
    pair.client(0)?.expect("flush_all", "OK")?;
    pause();
    ensure!(pair.client(1)?.set("new", b"x")? == "STORED");
    pair.link().heal();
    for key in &all {
        pair.wait_for_value(1, key, None)?;
    }
    pair.wait_for_value(0, "new", Some(b"x"))?;
    pair.wait_for_value(1, "new", Some(b"x"))
}

#[test]
fn a_flapping_link_still_converges() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("key", 400);
    for round in 0..8 {
        fill(
            &mut pair.client(round % 2)?,
            &all[round * 50..],
            &format!("round {round}"),
        )?;
        pair.link().cut();
        pair.client(0)?
            .expect(&format!("delete key{round}"), "DELETED")?;
        pair.link().heal();
    }
    pair.wait_until_equal(&all)
}

#[test]
fn a_node_that_loses_its_partner_before_it_is_full_goes_back_to_waiting() -> Result<()> {
    let mut pair = Pair::start(&["--start-alone-after", "1s", "-m", "200"])?;
    let all = keys("key", 400);
    let value = vec![b'v'; 100_000];
    let mut client = pair.client(0)?;
    for key in &all {
        ensure!(client.set(key, &value)? == "STORED");
    }
    pair.wait_until_equal(&all)?;
    pair.kill(1);
    // The copy comes slowly and is cut off half way; then it begins anew.
    pair.link().delay(50);
    pair.launch(1)?;
    thread::sleep(Duration::from_millis(500));
    pair.link().cut();
    pair.link().delay(0);
    pair.link().heal();
    eventually("the restarted node holds everything", || {
        // It closes connections when the link is lost.
        let Ok(mut client) = pair.client(1) else {
            return Ok(false);
        };
        Ok(all
            .iter()
            .all(|key| client.get(key).is_ok_and(|value| value.is_some())))
    })
}
