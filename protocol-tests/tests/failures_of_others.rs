//! How repcached, Redis and KeyDB lose data or come to hold different data, done to a pair.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually, fill, keys};
use protocol_tests::proxy::Direction;
use protocol_tests::writers;

const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];
/// So slow that its queue fills, and fast enough for the link to stay up.
const SLOW_BYTES_PER_SEC: u64 = 200 << 10;
/// Each writes more keys than may wait for the partner with 16 MB.
const ROUNDS_MAX: u32 = 30;
const SETS_AT_ONCE: usize = 1000;

/// repcached 2.3.1: what both nodes write at once crosses on the link, and each takes the other's.
/// Of 300 keys 148 had different values for ever.
#[test]
fn both_nodes_write_the_same_keys_at_once() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("both", 300);
    writers::run(2, |side| {
        let mut client = pair.client(side)?;
        (0..3).try_for_each(|round| fill(&mut client, &all, &format!("{side}.{round}")))
    })?;
    pair.wait_until_equal(&all)?;
    let mut client = pair.client(0)?;
    for key in &all {
        let value = client.get(key)?.context("a key is missing")?;
        let value = String::from_utf8(value)?;
        // An earlier value of either side was followed by another one of that side.
        let is_last = ["0.2", "1.2"].iter().any(|mark| value.starts_with(mark));
        ensure!(is_last, "{key} is {value}");
    }
    Ok(())
}

/// repcached 2.3.1: while the partner stands still, the queue of keys overflows, and both nodes end
/// the replication without a word and for good. 18,986 of 20,000 were missing.
///
/// Here the partner is slow: the link to one that stands still is given up before long.
#[test]
fn the_queue_to_the_partner_overflows() -> Result<()> {
    let mut pair = Pair::start(&[&NEVER_ALONE[..], &["-m", "16"]].concat())?;
    let all = keys("key", 30_000);
    pair.link().narrow(&Direction::BOTH, SLOW_BYTES_PER_SEC);
    let mut client = pair.client(0)?;
    let mut last = 0;
    while pair.stat(0, "queue_overflows")? == "0" {
        last += 1;
        ensure!(last < ROUNDS_MAX, "the queue took everything");
        for some in all.chunks(SETS_AT_ONCE) {
            let sets = some
                .iter()
                .map(|key| format!("set {key} 0 0 {} noreply\r\n{last}\r\n", digits(last)));
            client.send(sets.collect::<String>().as_bytes())?;
            ensure!(client.ask("mn")? == "MN");
        }
    }
    pair.link().heal();
    for (name, wanted) in [
        ("link", "up"),
        ("sync_pending", "0"),
        ("queue_keys", "0"),
        ("unconfirmed_records", "0"),
    ] {
        pair.wait_for_stat(0, name, wanted)?;
    }
    pair.kill(0);
    let mut survivor = pair.client(1)?;
    for key in &all {
        let value = survivor.get(key)?;
        let is_last = value.as_deref() == Some(last.to_string().as_bytes());
        ensure!(is_last, "{key} is {value:?} and not {last}");
    }
    Ok(())
}

fn digits(number: u32) -> usize {
    number.to_string().len()
}

/// Redis 7 without persistence: the primary restarts empty before anything takes over from it, and
/// its replica takes over that it is empty. Of 50,000 keys both had 0.
#[test]
fn a_primary_without_persistence_restarts() -> Result<()> {
    const KEYS: usize = 5000;
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("session", KEYS);
    fill(&mut pair.client(0)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    for side in [0, 1] {
        pair.kill(side);
        pair.launch(side)?;
        let mut survivor = pair.client(1 - side)?;
        // From the first moment on, until the link is up and each has the other's table.
        eventually("the node that restarts serves", || {
            ensure!(items(&mut survivor)? == KEYS, "the survivor was emptied");
            Ok(pair.node(side)?.answers())
        })?;
        pair.wait_until_complete(side)?;
        ensure!(items(&mut pair.client(side)?)? == KEYS);
        pair.wait_for_stat(1 - side, "link", "up")?;
        ensure!(items(&mut survivor)? == KEYS);
    }
    Ok(())
}

/// KeyDB with two active replicas: after a partition the same key has another value on each node,
/// and what one of them deleted meanwhile is there again.
#[test]
fn both_sides_of_a_partition_write_and_delete() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let (differ, gone) = (keys("differ", 300), keys("gone", 300));
    let mut clients = [pair.client(0)?, pair.client(1)?];
    fill(&mut clients[0], &[differ.as_slice(), &gone].concat(), "old")?;
    pair.wait_until_equal(&gone)?;
    pair.link().cut();
    pair.wait_for_stat(0, "link", "down")?;
    pair.wait_for_stat(1, "link", "down")?;
    for (side, client) in clients.iter_mut().enumerate() {
        fill(client, &differ, &format!("side {side}"))?;
        for key in gone.iter().skip(side).step_by(2) {
            client.expect(&format!("delete {key}"), "DELETED")?;
        }
    }
    pair.link().heal();
    pair.wait_for_stat(0, "link", "up")?;
    pair.wait_until_equal(&differ)?;
    pair.wait_until_equal(&gone)?;
    for (side, client) in clients.iter_mut().enumerate() {
        for key in &differ {
            let value = client.get(key)?.unwrap_or_default();
            // Side 1 was the last to write.
            ensure!(value.starts_with(b"side 1"), "{key} of side {side}");
        }
        for key in &gone {
            ensure!(client.get(key)?.is_none(), "{key} is back on side {side}");
        }
    }
    Ok(())
}

fn items(client: &mut Client) -> Result<usize> {
    let stats: HashMap<String, String> = client.stats("stats")?;
    let items = stats.get("curr_items").context("no curr_items")?;
    Ok(items.parse()?)
}
