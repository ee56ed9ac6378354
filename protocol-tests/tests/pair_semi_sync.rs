//! When writes are answered in `semi-sync` mode: once the partner holds them, and after a bounded
//! wait if it does not.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, keys};

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];
/// What one write may take on a busy machine: far more than the time it is to wait for a partner,
/// and far less than a client that waits without a bound.
const PATIENCE: Duration = Duration::from_secs(5);

/// `writes_protected` and `writes_unprotected` of a side.
fn counts(pair: &Pair, side: usize) -> Result<(u64, u64)> {
    let number = |key: &str| -> Result<u64> { Ok(pair.stat(side, key)?.parse()?) };
    Ok((number("writes_protected")?, number("writes_unprotected")?))
}

/// Since these counts, so many writes were answered; that `missed` were not on the partner by then
/// is what the unprotected ones allow, and no more.
fn check_answers(
    pair: &Pair,
    side: usize,
    before: (u64, u64),
    writes: u64,
    missed: u32,
) -> Result<()> {
    let after = counts(pair, side)?;
    ensure!(
        after.0 + after.1 == before.0 + before.1 + writes,
        "{before:?} {after:?}"
    );
    let unprotected = after.1 - before.1;
    ensure!(
        u64::from(missed) <= unprotected,
        "{missed} missed, {unprotected} unprotected"
    );
    Ok(())
}

/// Everything that changes an item is on the partner when it is answered. In `async` mode most of
/// these reads came too early: 1,145 of 1,200.
#[test]
fn what_was_answered_as_protected_is_on_the_partner() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    for side in [0, 1] {
        let (mut here, mut there) = (pair.client(side)?, pair.client(1 - side)?);
        let before = counts(&pair, side)?;
        let mut missed = 0;
        for round in 0..300 {
            let key = format!("key{side}.{round}");
            ensure!(here.set(&key, b"1")? == "STORED");
            missed += u32::from(there.get(&key)?.as_deref() != Some(b"1"));
            here.expect(&format!("incr {key} 6"), "7")?;
            missed += u32::from(there.get(&key)?.as_deref() != Some(b"7"));
            here.send(format!("append {key} 0 0 1\r\n7\r\n").as_bytes())?;
            ensure!(here.read_text_line()? == "STORED");
            missed += u32::from(there.get(&key)?.as_deref() != Some(b"77"));
            here.expect(&format!("delete {key}"), "DELETED")?;
            missed += u32::from(there.get(&key)?.is_some());
        }
        check_answers(&pair, side, before, 1200, missed)?;
    }
    Ok(())
}

/// A quiet command has no reply, and the next one's must not come before the partner has both.
#[test]
fn quiet_writes_and_flushes_are_waited_for_too() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let (mut here, mut there) = (pair.client(0)?, pair.client(1)?);
    let before = counts(&pair, 0)?;
    let mut missed = 0;
    for round in 0..300 {
        let key = format!("key{round}");
        here.send(format!("set {key} 0 0 1 noreply\r\nx\r\nmn\r\n").as_bytes())?;
        ensure!(here.read_text_line()? == "MN");
        missed += u32::from(there.get(&key)?.is_none());
        if round % 10 == 9 {
            here.expect("flush_all", "OK")?;
            missed += u32::from(there.get(&key)?.is_some());
        }
    }
    check_answers(&pair, 0, before, 330, missed)
}

/// Large values travel in pieces, each is answered at its last one, and a write behind ten of them
/// is not kept waiting by them.
#[test]
fn large_values_are_on_the_partner_when_they_are_answered() -> Result<()> {
    let pair = Pair::start(&[&NEVER_ALONE[..], &["-m", "256", "-I", "8m"]].concat())?;
    let (mut here, mut there) = (pair.client(0)?, pair.client(1)?);
    let before = counts(&pair, 0)?;
    let mut missed = 0;
    for (index, len) in [65_000, 66_000, 900_000, 4_000_000].into_iter().enumerate() {
        for round in 0..5 {
            let (key, value) = (format!("large{index}"), vec![b'a' + round; len]);
            ensure!(here.set(&key, &value)? == "STORED");
            missed += u32::from(there.get(&key)?.as_deref() != Some(&value[..]));
            here.expect(&format!("touch {key} 1000"), "TOUCHED")?;
        }
    }
    // Four values in one command, which is answered when the partner has the last of them.
    here.send(b"gat 5000 large0 large1 large2 large3\r\n")?;
    here.read_until(b"END\r\n")?;
    for index in 0..4 {
        let life = there.ask(&format!("mg large{index} t"))?;
        missed += u32::from(!life.starts_with("HD t4") && life != "HD t5000");
    }
    let value = vec![b'v'; 900_000];
    let mut batch = Vec::new();
    for round in 0..10 {
        batch.extend(format!("set bulk{round} 0 0 {} noreply\r\n", value.len()).bytes());
        batch.extend(&value);
        batch.extend(b"\r\n");
    }
    batch.extend(b"set small 0 0 1\r\nx\r\n");
    here.send(&batch)?;
    ensure!(here.read_text_line()? == "STORED");
    for key in keys("bulk", 10).iter().chain(&["small".to_owned()]) {
        missed += u32::from(there.get(key)?.is_none());
    }
    check_answers(&pair, 0, before, 55, missed)
}

/// A partner that stands still costs each client one bounded wait; then it is degraded, nobody
/// waits, and every write is counted. It comes back by itself, also on a pair that is quiet.
#[test]
fn a_frozen_partner_is_waited_for_once_and_comes_back() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    for frozen in [1, 0] {
        let here = 1 - frozen;
        let mut client = pair.client(here)?;
        client.set_patience(PATIENCE);
        let before = counts(&pair, here)?;
        pair.freeze(frozen)?;
        for key in keys("key", 50) {
            ensure!(client.set(&key, b"x")? == "STORED");
        }
        pair.wait_for_stat(here, "degraded", "1")?;
        let after = counts(&pair, here)?;
        ensure!(after.1 >= before.1 + 50, "{before:?} {after:?}");
        ensure!(after.0 == before.0, "{before:?} {after:?}");
        pair.thaw(frozen)?;
        pair.wait_for_stat(here, "degraded", "0")?;
        ensure!(client.set("again", b"x")? == "STORED");
    }
    Ok(())
}

#[test]
fn a_node_alone_answers_at_once_and_counts() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    pair.kill(1);
    pair.wait_for_stat(0, "link", "down")?;
    let mut client = pair.client(0)?;
    let before = counts(&pair, 0)?;
    for key in keys("key", 20) {
        ensure!(client.set(&key, b"x")? == "STORED");
    }
    let after = counts(&pair, 0)?;
    ensure!(after == (before.0, before.1 + 20), "{before:?} {after:?}");
    Ok(())
}

/// Many clients write at once while the partner is killed: what was answered as protected before is
/// on the survivor, whichever it is.
#[test]
fn what_was_protected_survives_the_death_of_the_node_that_answered() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    let before = counts(&pair, 0)?;
    let started = Instant::now();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let client = pair.client(0)?;
            Ok(thread::spawn(move || write_until_cut(client, writer)))
        })
        .collect::<Result<_>>()?;
    while started.elapsed() < Duration::from_millis(500) {
        thread::sleep(Duration::from_millis(10));
    }
    let counted = counts(&pair, 0)?;
    pair.kill(0);
    let unprotected = counted.1 - before.1;
    let mut lost = 0;
    let mut survivor = pair.client(1)?;
    let mut answered = 0;
    for writer in writers {
        let (writer, last) = writer.join().expect("a writer panicked");
        answered += last;
        for number in 0..last {
            let found = survivor.get(&format!("w{writer}.{number}"))?;
            lost += u64::from(found.is_none());
        }
    }
    ensure!(answered > 0, "nothing was written");
    // After the last count, nothing made the partner late: the node was killed at once.
    ensure!(
        lost <= unprotected,
        "{lost} of {answered} lost, {unprotected} unprotected"
    );
    Ok(())
}

/// Writes keys one after the other until the connection breaks. Returns how many were answered.
fn write_until_cut(mut client: Client, writer: usize) -> (usize, u64) {
    let mut answered = 0;
    while let Ok(reply) = client.set(&format!("w{writer}.{answered}"), b"value")
        && reply == "STORED"
    {
        answered += 1;
    }
    (writer, answered)
}
