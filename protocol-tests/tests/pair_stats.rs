//! What `stats replication` says a node owes its partner.
//!
//! It said 0 right after a write was answered, with the link down and during a pass: whoever waited
//! for 0 before a planned stop of the other node lost what was still on its way.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually, fill, keys};

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];

/// Keys or records on their way, and whether a whole table is owed.
fn owed(client: &mut Client) -> Result<(u64, u64)> {
    let stats = client.stats("stats replication")?;
    let number = |name: &str| -> Result<u64> {
        let value = stats.get(name).with_context(|| format!("no {name}"))?;
        Ok(value.parse()?)
    };
    let on_their_way = number("queue_keys")? + number("unconfirmed_records")?;
    Ok((on_their_way, number("pass_pending")?))
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
