//! What `stats replication` says a node owes its partner.
//!
//! It said 0 right after a write was answered, with the link down and during a pass: whoever waited
//! for 0 before a planned stop of the other node lost what was still on its way.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::{Reply, opcode, packet};
use protocol_tests::pair::{Pair, eventually, fill, keys};

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];

/// Keys or records on their way, and whether a whole table is owed.
fn owed(client: &mut Client) -> Result<(u64, u64)> {
    owed_in(&client.stats("stats replication")?)
}

fn owed_in(stats: &HashMap<String, String>) -> Result<(u64, u64)> {
    let number = |name: &str| -> Result<u64> {
        let value = stats.get(name).with_context(|| format!("no {name}"))?;
        Ok(value.parse()?)
    };
    let on_their_way = number("queue_keys")? + number("unconfirmed_records")?;
    Ok((on_their_way, number("sync_pending")?))
}

fn until_nothing_is_owed(client: &mut Client) -> Result<()> {
    eventually("nothing is owed", || Ok(owed(client)? == (0, 0)))
}

#[test]
fn an_answered_write_is_owed_until_the_partner_has_it() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let (mut writer, mut other) = (pair.client(0)?, pair.client(0)?);
    for key in keys("key", 10) {
        until_nothing_is_owed(&mut other)?;
        pair.link().hold();
        // What the proxy has in its hands is through after this.
        thread::sleep(Duration::from_millis(30));
        ensure!(writer.set(&key, b"x")? == "STORED");
        let now = owed(&mut other)?;
        ensure!(now.0 > 0, "{key} is owed, and the node says {now:?}");
        pair.link().heal();
        until_nothing_is_owed(&mut other)?;
        ensure!(pair.client(1)?.get(&key)?.is_some(), "{key} is not there");
    }
    Ok(())
}

#[test]
fn a_value_in_pieces_is_one_record() -> Result<()> {
    let pair = Pair::start(&["-I", "4m", "-m", "100"])?;
    let mut client = pair.client(0)?;
    until_nothing_is_owed(&mut client)?;
    pair.link().hold();
    thread::sleep(Duration::from_millis(30));
    ensure!(client.set("large", &vec![b'v'; 3_000_000])? == "STORED");
    eventually("it is on the wire", || {
        Ok(pair.stat(0, "unconfirmed_bytes")? != "0")
    })?;
    ensure!(pair.stat(0, "unconfirmed_records")? == "1");
    pair.link().heal();
    until_nothing_is_owed(&mut client)
}

#[test]
fn without_a_link_the_table_is_owed() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let mut client = pair.client(0)?;
    pair.link().cut();
    pair.wait_for_stat(0, "link", "down")?;
    ensure!(owed(&mut client)? == (0, 0), "there is nothing to owe");
    let all = keys("key", 100);
    fill(&mut client, &all, "alone")?;
    ensure!(owed(&mut client)?.1 == 1);
    pair.link().heal();
    until_nothing_is_owed(&mut client)?;
    for key in &all {
        ensure!(pair.client(1)?.get(key)?.is_some(), "{key} is not there");
    }
    // What it had confirmed died with it.
    pair.kill(1);
    pair.wait_for_stat(0, "link", "down")?;
    ensure!(owed(&mut client)?.1 == 1);
    pair.launch(1)?;
    until_nothing_is_owed(&mut client)
}

/// How many items are not known to be on the partner, and for how long at most.
fn unprotected(pair: &Pair, node: usize) -> Result<(u64, u64)> {
    let items = pair.stat(node, "unprotected_items")?.parse()?;
    let age_ms = pair.stat(node, "oldest_unprotected_age_ms")?.parse()?;
    Ok((items, age_ms))
}

#[test]
fn items_that_are_on_one_node_only_are_counted_until_the_other_has_them() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let mut client = pair.client(0)?;
    let all = keys("key", 50);
    fill(&mut client, &all, "both")?;
    eventually(
        "all are on both nodes",
        || Ok(unprotected(&pair, 0)?.0 == 0),
    )?;
    ensure!(unprotected(&pair, 0)? == (0, 0) && unprotected(&pair, 1)? == (0, 0));
    pair.link().hold();
    thread::sleep(Duration::from_millis(30));
    ensure!(client.set("key", b"x")? == "STORED");
    thread::sleep(Duration::from_millis(20));
    let (items, age_ms) = unprotected(&pair, 0)?;
    ensure!(
        items == 1 && age_ms >= 20,
        "{items} items since {age_ms} ms"
    );
    pair.link().heal();
    eventually("it is there", || Ok(unprotected(&pair, 0)? == (0, 0)))?;
    // Nothing is known of the next process, until it has the table.
    pair.kill(1);
    pair.wait_for_stat(0, "link", "down")?;
    pair.launch(1)?;
    pair.wait_until_open(1)?;
    eventually(
        "the table is there",
        || Ok(unprotected(&pair, 0)? == (0, 0)),
    )?;
    ensure!(pair.client(1)?.get("key")?.is_some());
    ensure!(unprotected(&pair, 1)? == (0, 0), "it came from the partner");
    Ok(())
}

/// A turn hands its changes over at its end: statistics that were asked for in the packet of a
/// write said that nothing is owed.
#[test]
fn a_write_is_owed_in_the_statistics_of_its_own_packet() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let mut client = pair.client(0)?;
    for (nth, key) in keys("key", 10).iter().enumerate() {
        until_nothing_is_owed(&mut client)?;
        pair.link().hold();
        thread::sleep(Duration::from_millis(30));
        let now = if nth % 2 == 0 {
            client.send(format!("set {key} 0 0 1\r\nx\r\nstats replication\r\n").as_bytes())?;
            ensure!(client.read_text_line()? == "STORED");
            let answer = client.read_until(b"END\r\n")?;
            owed_in(&lines_of(&answer)?)?
        } else {
            owed_in_binary(&mut pair.client(0)?, key)?
        };
        ensure!(now.0 > 0, "{key} is owed, and the node says {now:?}");
        pair.link().heal();
    }
    let stats = client.stats("stats")?;
    ensure!(stats["conn_yields"] == "0", "memcached counts none");
    until_nothing_is_owed(&mut client)
}

fn lines_of(answer: &[u8]) -> Result<HashMap<String, String>> {
    let text = std::str::from_utf8(answer)?;
    let pairs = text
        .lines()
        .filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// The same in the binary protocol: a quiet set and the statistics.
fn owed_in_binary(client: &mut Client, key: &str) -> Result<(u64, u64)> {
    let set = packet(opcode::SETQ).extras(&[0; 8]).key(key).value(b"x");
    let stat = packet(opcode::STAT).key("replication");
    client.send(&[set.bytes(), stat.bytes()].concat())?;
    let mut stats = HashMap::new();
    loop {
        let reply = Reply::read(client)?;
        if reply.key.is_empty() {
            return owed_in(&stats);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        stats.insert(text(&reply.key), text(&reply.value));
    }
}

#[test]
fn a_node_says_whether_it_can_be_restarted() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let mut client = pair.client(0)?;
    fill(&mut client, &keys("key", 100), "x")?;
    pair.wait_for_stat(0, "safe_to_restart", "yes")?;
    let says_no_for = |why: &str| {
        eventually(why, || {
            let said = pair.stat(0, "safe_to_restart")?;
            Ok(said.starts_with("no: ") && said.contains(why))
        })
    };
    pair.link().cut();
    says_no_for("no link")?;
    pair.link().heal();
    pair.wait_for_stat(0, "safe_to_restart", "yes")
}
