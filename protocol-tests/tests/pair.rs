//! Two real memtwin processes, each the other's failover: what is written on one side is on the
//! other.
//!
//! Convergence is waited for by asking again and again within a generous bound; no test asserts
//! how long anything takes.

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually, fill, keys};
use protocol_tests::writers;

/// A node that must not start without its partner.
const NEVER_ALONE: [&str; 2] = ["--start-alone-after", "never"];

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
        client.expect("incr count 1", "10")?;
        pair.wait_for_value(there, "count", Some(b"10"))?;
        client.expect("delete text", "DELETED")?;
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
    client.expect("touch touched 1000", "TOUCHED")?;
    client.expect("gat 1000 gotten", "VALUE gotten 0 1")?;
    client.read_until(b"END\r\n")?;
    client.expect("touch shortened 4", "TOUCHED")?;
    pair.wait_for_value(1, "short", None)?;
    pair.wait_for_value(1, "shortened", None)?;
    for side in 0..2 {
        pair.wait_for_value(side, "touched", Some(b"x"))?;
        pair.wait_for_value(side, "gotten", Some(b"x"))?;
    }
    // touch -1 removes.
    client.expect("touch touched -1", "TOUCHED")?;
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

/// A node without CAS handed on the 0 that it shows: its partner told every client of such an item
/// that it has none, and no `cas` on it could succeed again.
#[test]
fn a_node_without_cas_hands_on_that_of_its_partner() -> Result<()> {
    let mut pair = Pair::start(&NEVER_ALONE)?;
    pair.kill(0);
    pair.add_flag(0, "-C");
    pair.launch(0)?;
    pair.wait_until_open(0)?;
    pair.wait_for_stat(0, "link", "up")?;
    let mut there = pair.client(1)?;
    ensure!(there.set("key", b"value")? == "STORED");
    let unique = there.ask("mg key c")?;
    pair.wait_for_value(0, "key", Some(b"value"))?;
    let mut here = pair.client(0)?;
    here.expect("mg key c", "HD c0")?;
    here.expect("md key x", "HD")?;
    pair.wait_for_value(1, "key", Some(b""))?;
    there.expect("mg key c", &unique)
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
fn concurrent_writers_on_both_sides_end_with_equal_bytes() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    let all = keys("shared", 20);
    writers::run(6, |writer| {
        write_at_random(pair.client(writer % 2)?, &all, writer)
    })?;
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

/// Whoever is told to recache a stale item is told so once, on whichever node the others ask.
#[test]
fn meta_marks_travel() -> Result<()> {
    let pair = Pair::start(&NEVER_ALONE)?;
    for (here, there) in [(0, 1), (1, 0)] {
        let mut client = pair.client(here)?;
        let mut other = pair.client(there)?;
        client.send(b"ms c3RhbGU= 3 b E1000 T3000\r\nold\r\n")?;
        ensure!(client.read_text_line()? == "HD");
        client.expect("md stale I E2000", "HD")?;
        client.expect("mg stale k c R1", "HD kc3RhbGU= b c2000 X W")?;
        wait_for_answer(&mut other, "mg stale k c u", "HD kc3RhbGU= b c2000 Z X")?;
        client.expect("mg vivified N30 c E3000", "HD c3000 W")?;
        wait_for_answer(&mut other, "mg vivified c u", "HD c3000 Z")?;
        client.expect("ma number N0 J41 E4000", "HD")?;
        wait_for_answer(&mut other, "mg number c u", "HD c4000")?;
        client.expect("md stale x E5000 F6", "HD")?;
        wait_for_answer(&mut other, "mg stale s f c u", "HD s0 f6 c5000")?;
        for key in ["stale", "vivified", "number"] {
            client.expect(&format!("md {key}"), "HD")?;
            wait_for_answer(&mut other, &format!("mg {key} u"), "EN")?;
        }
    }
    Ok(())
}

fn wait_for_answer(client: &mut Client, line: &str, wanted: &str) -> Result<()> {
    eventually(&format!("{wanted:?} to {line:?}"), || {
        Ok(client.ask(line)? == wanted)
    })
}
