//! A pair whose nodes have unequal memory: the larger one serves what is on it alone, says how much
//! that is, and goes on waiting for the smaller one.

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually, keys};

const VALUE: [u8; 10_000] = [b'v'; 10_000];

/// A pair of which side 1 has 8 MiB and these flags, too.
fn unequal(flags: &[&str], smaller: &[&str]) -> Result<Pair> {
    let mut pair = Pair::prepare(&[&["-m", "64"], flags].concat())?;
    pair.set_flag(1, "-m", "8")?;
    for flag in smaller {
        pair.add_flag(1, flag);
    }
    for side in 0..2 {
        pair.launch(side)?;
    }
    for side in 0..2 {
        pair.wait_until_open(side)?;
        pair.wait_for_stat(side, "link", "up")?;
    }
    Ok(pair)
}

fn number(pair: &Pair, side: usize, name: &str) -> Result<u64> {
    Ok(pair.stat(side, name)?.parse()?)
}

fn store(client: &mut Client, keys: &[String]) -> Result<()> {
    for key in keys {
        ensure!(client.set(key, &VALUE)? == "STORED", "{key} was refused");
    }
    Ok(())
}

fn held(pair: &Pair, side: usize, keys: &[String]) -> Result<u64> {
    let mut client = pair.client(side)?;
    let mut held = 0;
    for key in keys {
        held += u64::from(client.get(key)?.is_some());
    }
    Ok(held)
}

/// The partner is waited for again, and holds what is written now.
fn until_writes_are_protected(pair: &Pair, client: &mut Client) -> Result<()> {
    eventually("writes are protected", || {
        let before = number(pair, 0, "writes_protected")?;
        ensure!(client.set("now", b"x")? == "STORED");
        Ok(number(pair, 0, "writes_protected")? > before)
    })?;
    ensure!(pair.stat(0, "degraded")? == "0" && pair.stat(0, "link")? == "up");
    Ok(())
}

#[test]
fn what_the_smaller_node_evicts_is_counted_on_the_larger_one() -> Result<()> {
    let pair = unequal(&[], &[])?;
    let mut client = pair.client(0)?;
    let all = keys("key", 2000);
    store(&mut client, &all)?;
    ensure!(held(&pair, 0, &all)? == 2000);
    let there = held(&pair, 1, &all)?;
    ensure!((1..1500).contains(&there), "{there} of them fit");
    eventually("the others are counted", || {
        Ok(number(&pair, 0, "unprotected_items")? == 2000 - there)
    })?;
    ensure!(number(&pair, 0, "partner_evictions")? >= 2000 - there);
    pair.wait_for_stat(
        0,
        "safe_to_restart",
        &format!("yes, except {} items", 2000 - there),
    )?;
    ensure!(number(&pair, 0, "oldest_unprotected_age_ms")? > 0);
    // They are not sent again: what is evicted is the choice of the smaller node.
    ensure!(number(&pair, 0, "records_sent")? == 2000);
    ensure!(number(&pair, 1, "unprotected_items")? == 0);
    until_writes_are_protected(&pair, &mut client)
}

#[test]
fn what_the_smaller_node_refuses_is_counted_and_offered_again() -> Result<()> {
    let pair = unequal(&[], &["-M"])?;
    let mut client = pair.client(0)?;
    let all = keys("key", 1500);
    store(&mut client, &all)?;
    let refused = number(&pair, 0, "records_no_room")?;
    ensure!(refused > 0 && number(&pair, 0, "writes_unprotected")? >= refused);
    eventually("they are counted", || {
        let there = held(&pair, 1, &all)?;
        Ok(there < 1500 && number(&pair, 0, "unprotected_items")? == 1500 - there)
    })?;
    // Of those that are left all fit.
    let (gone, left) = all.split_at(1100);
    for key in gone {
        client.ask(&format!("delete {key}"))?;
    }
    eventually("they were offered again", || {
        Ok(number(&pair, 0, "unprotected_items")? == 0)
    })?;
    ensure!(held(&pair, 1, left)? == 400);
    until_writes_are_protected(&pair, &mut client)
}

#[test]
fn a_value_that_is_too_large_for_the_partner_degrades_nothing() -> Result<()> {
    let mut pair = Pair::prepare(&["-I", "4m", "-m", "64"])?;
    pair.set_flag(1, "-I", "1m")?;
    for side in 0..2 {
        pair.launch(side)?;
    }
    pair.wait_until_open(0)?;
    pair.wait_for_stat(0, "link", "up")?;
    let mut client = pair.client(0)?;
    for round in 1..=20 {
        let stored = client.set(&format!("large{round}"), &vec![b'v'; 1_500_000])?;
        ensure!(stored == "STORED");
        eventually("it was refused", || {
            Ok(number(&pair, 0, "records_no_room")? == round)
        })?;
    }
    ensure!(number(&pair, 0, "unprotected_items")? == 20);
    ensure!(client.get("large1")?.is_some());
    until_writes_are_protected(&pair, &mut client)
}
