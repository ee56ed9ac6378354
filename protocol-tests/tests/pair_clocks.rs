//! Two real memtwin processes of which one restarts alone with a wrong wall clock.
//!
//! The node confirmed what clients set, deleted and flushed, with timestamps below those of values
//! from before its restart that the partner still held. When they met again, both nodes had the old
//! values, the deleted keys and the flushed ones: all that was confirmed meanwhile was lost, and
//! nothing said so.

use anyhow::{Context, Result, ensure};
use protocol_tests::pair::{Pair, eventually, fill, keys};

const HOUR_MS: i64 = 60 * 60 * 1000;
/// A node serves alone soon.
const SOON_ALONE: [&str; 2] = ["--start-alone-after", "500ms"];

/// The skew that this side shows.
fn skew_ms(pair: &Pair, side: usize) -> Result<i64> {
    let skew = pair.stat(side, "clock_skew_ms")?;
    skew.parse().with_context(|| format!("a skew of {skew}"))
}

/// Kills side 0, cuts the link, and lets side 0 restart alone with this wall clock.
fn restarted_alone(wall: &str) -> Result<Pair> {
    let mut pair = Pair::start(&SOON_ALONE)?;
    let all = keys("key", 500);
    fill(&mut pair.client(1)?, &all, "first")?;
    pair.wait_until_equal(&all)?;
    pair.link().cut();
    pair.kill(0);
    pair.wait_for_stat(1, "link", "down")?;
    pair.launch_with_wall_clock(0, wall)?;
    pair.wait_until_open(0)?;
    Ok(pair)
}

fn heal(pair: &Pair) -> Result<()> {
    pair.link().heal();
    pair.wait_for_stat(0, "link", "up")?;
    pair.wait_for_stat(1, "link", "up")?;
    for side in [0, 1] {
        pair.wait_for_stat(side, "sync_pending", "0")?;
    }
    // Or the clock was not wrong at all.
    eventually("side 1 sees the wrong clock", || {
        Ok(skew_ms(pair, 1).is_ok_and(|skew| skew < HOUR_MS / -2))
    })?;
    eventually("side 1 logs the wrong clock", || {
        let log = pair.node(1)?.log();
        Ok(log.contains("the wall clocks of the two nodes differ"))
    })
}

#[test]
fn what_a_node_with_a_wrong_clock_confirmed_alone_stands() -> Result<()> {
    for wall in ["-1h", "@1970-01-01 12:00:00"] {
        let pair = restarted_alone(wall)?;
        let mut client = pair.client(0)?;
        fill(&mut client, &keys("key", 100), "second")?;
        for key in &keys("key", 200)[100..] {
            client.expect(&format!("delete {key}"), "NOT_FOUND")?;
        }
        client.expect("touch key7 1000", "TOUCHED")?;
        heal(&pair)?;
        for side in [0, 1] {
            let mut client = pair.client(side)?;
            for (index, key) in keys("key", 500).iter().enumerate() {
                let wanted = match index {
                    0..100 => Some(format!("second of {key}")),
                    100..200 => None,
                    _ => Some(format!("first of {key}")),
                };
                let value = client.get(key)?;
                let right = value.as_deref() == wanted.as_ref().map(String::as_bytes);
                ensure!(right, "{wall}: {key} on side {side} is {value:?}");
            }
        }
        pair.wait_until_equal(&keys("key", 500))?;
    }
    Ok(())
}

#[test]
fn what_a_node_with_a_wrong_clock_flushed_alone_stays_flushed() -> Result<()> {
    let pair = restarted_alone("-1h")?;
    let mut client = pair.client(0)?;
    client.expect("flush_all", "OK")?;
    ensure!(client.set("key7", b"after")? == "STORED");
    heal(&pair)?;
    for side in [0, 1] {
        let mut client = pair.client(side)?;
        for key in keys("key", 500) {
            let value = client.get(&key)?;
            let wanted = (key == "key7").then_some(&b"after"[..]);
            ensure!(
                value.as_deref() == wanted,
                "{key} on side {side} is {value:?}"
            );
        }
    }
    Ok(())
}
