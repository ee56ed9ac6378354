//! Two real memtwin processes, each the other's failover.
//!
//! Convergence is waited for by asking again and again within a generous bound; no test asserts
//! how long anything takes.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{PATIENCE, Pair, eventually};

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];
/// What a client of a frozen node's partner waits at most. MSM's operations time out after one
/// second; this only has to tell "answers" from "blocked".
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);

fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

fn fill(client: &mut Client, keys: &[String], mark: &str) -> Result<()> {
    for key in keys {
        let stored = client.set(key, format!("{mark} of {key}").as_bytes())?;
        ensure!(stored == "STORED", "set {key}: {stored}");
    }
    Ok(())
}

fn ask(client: &mut Client, line: &str, answer: &str) -> Result<()> {
    let got = client.ask(line)?;
    ensure!(got == answer, "{line}: {got} instead of {answer}");
    Ok(())
}

#[test]
fn every_kind_of_write_reaches_the_other_side() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    for (here, there) in [(0, 1), (1, 0)] {
        let mut client = pair.client(here)?;
        ensure!(client.store("set", "text", 0, b"one")? == "STORED");
        pair.wait_for_value(there, "text", Some(b"one"))?;
        ensure!(client.store("append", "text", 0, b"+two")? == "STORED");
        ensure!(client.store("prepend", "text", 0, b"zero+")? == "STORED");
        pair.wait_for_value(there, "text", Some(b"zero+one+two"))?;
        ensure!(client.store("add", "added", 0, b"x")? == "STORED");
        ensure!(client.store("replace", "text", 0, b"new")? == "STORED");
        pair.wait_for_value(there, "text", Some(b"new"))?;
        pair.wait_for_value(there, "added", Some(b"x"))?;
        ensure!(client.set("count", b"9")? == "STORED");
        ask(&mut client, "incr count 1", "10")?;
        pair.wait_for_value(there, "count", Some(b"10"))?;
        ask(&mut client, "delete text", "DELETED")?;
        pair.wait_for_value(there, "text", None)?;
        // A client's silence is no silence between the nodes.
        client.send(b"set quiet 7 0 2 noreply\r\nhi\r\n")?;
        pair.wait_for_value(there, "quiet", Some(b"hi"))?;
        let first = pair.client(there)?.ask("get quiet")?;
        ensure!(
            first == "VALUE quiet 7 2",
            "the flags have changed: {first}"
        );
        client.send_line("flush_all")?;
        for gone in ["quiet", "count", "added"] {
            pair.wait_for_value(there, gone, None)?;
        }
    }
    Ok(())
}

#[test]
fn large_and_empty_values_arrive_whole() -> Result<()> {
    let pair = Pair::start(&["-I", "4m", "-m", "100"])?;
    let mut client = pair.client(0)?;
    for length in [0, 1, 16_384, 65_535, 65_536, 1_000_000, 4_000_000] {
        let value: Vec<u8> = (0..length).map(|index: u32| (index % 253) as u8).collect();
        ensure!(client.set("value", &value)? == "STORED");
        pair.wait_for_value(1, "value", Some(&value))?;
    }
    Ok(())
}

#[test]
fn expiry_travels_and_so_does_a_touch() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let mut client = pair.client(0)?;
    for key in ["short", "touched", "gotten"] {
        ensure!(client.store("set", key, 4, b"x")? == "STORED");
    }
    ensure!(client.store("set", "shortened", 0, b"x")? == "STORED");
    for key in ["short", "touched", "gotten", "shortened"] {
        pair.wait_for_value(1, key, Some(b"x"))?;
    }
    ask(&mut client, "touch touched 1000", "TOUCHED")?;
    ask(&mut client, "gat 1000 gotten", "VALUE gotten 0 1")?;
    client.read_until(b"END\r\n")?;
    ask(&mut client, "touch shortened 4", "TOUCHED")?;
    pair.wait_for_value(1, "short", None)?;
    pair.wait_for_value(1, "shortened", None)?;
    for side in 0..2 {
        pair.wait_for_value(side, "touched", Some(b"x"))?;
        pair.wait_for_value(side, "gotten", Some(b"x"))?;
    }
    // touch -1 removes.
    ask(&mut client, "touch touched -1", "TOUCHED")?;
    pair.wait_for_value(1, "touched", None)
}

#[test]
fn the_cas_unique_is_the_same_on_both_sides() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let mut here = pair.client(0)?;
    let mut there = pair.client(1)?;
    ensure!(here.set("key", b"one")? == "STORED");
    let line = here.ask("gets key")?;
    here.read_until(b"END\r\n")?;
    let unique = line.rsplit(' ').next().context("no unique")?.to_owned();
    pair.wait_for_value(1, "key", Some(b"one"))?;
    ensure!(here.set("key", b"two")? == "STORED");
    pair.wait_for_value(1, "key", Some(b"two"))?;
    there.send(format!("cas key 0 0 5 {unique}\r\nstale\r\n").as_bytes())?;
    ensure!(
        there.read_text_line()? == "EXISTS",
        "a stale unique must fail on the other side too"
    );
    let line = here.ask("gets key")?;
    let unique = line.rsplit(' ').next().context("no unique")?.to_owned();
    there.send(format!("cas key 0 0 5 {unique}\r\nfresh\r\n").as_bytes())?;
    ensure!(there.read_text_line()? == "STORED");
    pair.wait_for_value(0, "key", Some(b"fresh"))
}

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
        ask(&mut pair.client(1 - victim)?, "delete session7", "DELETED")?;
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
        ask(
            &mut pair.client(1 - victim)?,
            &format!("delete {key}"),
            "DELETED",
        )?;
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
fn a_slow_link_loses_nothing() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    pair.link().delay(20);
    let all = keys("key", 500);
    fill(&mut pair.client(0)?, &all, "left")?;
    fill(&mut pair.client(1)?, &all[250..], "right")?;
    pair.wait_until_equal(&all)?;
    pair.wait_for_value(0, "key499", Some(b"right of key499"))
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
    ask(&mut zero, "delete common0", "DELETED")?;
    ask(&mut one, "delete common1", "DELETED")?;
    later(&mut zero, &mut one, "common2")?;
    later(&mut one, &mut zero, "common3")?;
    // Deleted here, then written there; written here, then deleted there.
    ask(&mut zero, "delete common4", "DELETED")?;
    pause();
    ensure!(one.set("common4", b"later")? == "STORED");
    ensure!(one.set("common5", b"earlier")? == "STORED");
    pause();
    ask(&mut zero, "delete common5", "DELETED")?;
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
    ask(&mut pair.client(0)?, "flush_all", "OK")?;
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
        ask(
            &mut pair.client(0)?,
            &format!("delete key{round}"),
            "DELETED",
        )?;
        pair.link().heal();
    }
    pair.wait_until_equal(&all)
}

#[test]
fn concurrent_writers_on_both_sides_end_with_equal_bytes() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("shared", 20);
    let written: Result<Vec<()>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|writer: usize| {
                let (pair, all) = (&pair, &all);
                scope.spawn(move || write_at_random(pair.client(writer % 2)?, all, writer))
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| {
                writer
                    .join()
                    .unwrap_or_else(|_| anyhow::bail!("a writer panicked"))
            })
            .collect()
    });
    written?;
    pair.wait_until_equal(&all)
}

fn write_at_random(mut client: Client, keys: &[String], writer: usize) -> Result<()> {
    let mut rng = fastrand::Rng::with_seed(writer as u64);
    for round in 0..400 {
        let key = &keys[rng.usize(0..keys.len())];
        match rng.u32(0..10) {
            0 => drop(client.ask(&format!("delete {key}"))?),
            1 => drop(client.ask(&format!("incr {key} 3"))?),
            2 => drop(client.store("append", key, 0, b"+")?),
            3 => drop(client.set(key, &vec![b'x'; rng.usize(0..100_000)])?),
            4 => drop(client.ask(&format!("touch {key} 1000"))?),
            5 => drop(client.store("add", key, 0, b"1")?),
            _ => drop(client.set(key, format!("{writer} {round}").as_bytes())?),
        }
    }
    Ok(())
}

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
fn two_equal_sides_refuse_each_other_and_stay_closed() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "1s"])?;
    // Both are side 0 and would dial; the second one's partner address is the first's own.
    pair.set_flag(1, "--side", "0")?;
    pair.launch(0)?;
    pair.launch(1)?;
    stays_closed(&pair, 0)?;
    stays_closed(&pair, 1)?;
    for side in 0..2 {
        let log = pair.node(side)?.log();
        ensure!(log.contains("side"), "side {side} does not say why:\n{log}");
    }
    Ok(())
}

#[test]
fn a_stranger_is_refused_and_neither_opens() -> Result<()> {
    let mut pair = Pair::prepare(&["--start-alone-after", "1s"])?;
    let key = pair.strangers_key()?.to_string_lossy().into_owned();
    pair.set_flag(1, "--key-file", &key)?;
    pair.launch(0)?;
    pair.launch(1)?;
    stays_closed(&pair, 0)?;
    stays_closed(&pair, 1)?;
    for side in 0..2 {
        let log = pair.node(side)?.log();
        ensure!(log.contains("key"), "side {side} does not say why:\n{log}");
    }
    Ok(())
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
    pair.wait_until_open(1)?;
    let mut client = pair.client(1)?;
    eventually("the restarted node holds everything", || {
        Ok(all
            .iter()
            .all(|key| client.get(key).is_ok_and(|value| value.is_some())))
    })
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
