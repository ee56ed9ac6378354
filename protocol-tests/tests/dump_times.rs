//! The times that dumps show of an item do not depend on the moment of the dump.
//!
//! memtwin showed `exp` and `la` of `lru_crawler metadump` as sums and differences of times that
//! were rounded apart. Of most keys they changed by a second from one dump to the next, so that
//! whoever compared two dumps, or took the keys that expire in a certain second, found something
//! else each time.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

/// Dumps are taken for longer than two seconds, each of which begins for every clock in between.
const WATCHED: Duration = Duration::from_millis(2300);
const KEYS: usize = 20;

/// All values that dumps showed of a key's field.
type Shown = BTreeMap<String, BTreeSet<i64>>;

fn metadump(client: &mut Client, shown: &mut Shown) -> Result<()> {
    client.send_line("lru_crawler metadump all")?;
    loop {
        let line = client.read_text_line()?;
        if line == "END" {
            return Ok(());
        }
        // 1.6.18 begins without it.
        if line == "OK" {
            continue;
        }
        let mut fields = line.split(' ').filter_map(|word| word.split_once('='));
        let (_, key) = fields.next().context("no key")?;
        for (name, value) in fields.filter(|(name, _)| ["exp", "la"].contains(name)) {
            let values = shown.entry(format!("{name} of {key}")).or_default();
            values.insert(value.parse()?);
        }
    }
}

fn cachedump(client: &mut Client, shown: &mut Shown) -> Result<()> {
    client.send_line("stats cachedump 1 0")?;
    loop {
        let line = client.read_text_line()?;
        if line == "END" {
            return Ok(());
        }
        let words: Vec<_> = line.split(' ').collect();
        let ["ITEM", key, _, "b;", expires, "s]"] = words[..] else {
            anyhow::bail!("{line}");
        };
        let values = shown.entry(format!("cachedump of {key}")).or_default();
        values.insert(expires.parse()?);
    }
}

fn one(shown: &Shown, what: &str) -> Result<i64> {
    let values = shown.get(what).with_context(|| what.to_owned())?;
    values.first().copied().context("no value")
}

fn watch(subject: &Subject) -> Result<()> {
    // Its maintainer starts crawls by itself, and memcached is BUSY then.
    let server = Server::start(subject, &["-o", "no_lru_maintainer"])?;
    let mut client = server.connect()?;
    let now_secs = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let absolute = i64::try_from(now_secs + 500_000)?;
    ensure!(client.store("set", "absolute", absolute, b"v")? == "STORED");
    let mut times = Vec::new();
    for nth in 0..KEYS {
        let stats = client.stats("stats")?;
        times.push(stats["time"].parse::<i64>()?);
        ensure!(client.store("set", &format!("k{nth}"), 1000, b"v")? == "STORED");
        thread::sleep(Duration::from_millis(53));
    }
    let mut shown = Shown::new();
    let mut starts = BTreeSet::new();
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        metadump(&mut client, &mut shown)?;
        cachedump(&mut client, &mut shown)?;
        let stats = client.stats("stats")?;
        starts.insert(stats["time"].parse::<i64>()? - stats["uptime"].parse::<i64>()?);
        thread::sleep(Duration::from_millis(17));
    }
    let unsteady: Vec<_> = shown.iter().filter(|(_, all)| all.len() > 1).collect();
    ensure!(unsteady.is_empty(), "{}: {unsteady:?}", subject.kind());
    ensure!(shown.len() == 3 * (KEYS + 1), "{shown:?}");
    ensure!(one(&shown, "exp of absolute")? == absolute);
    ensure!(one(&shown, "cachedump of absolute")? == absolute);
    ensure!(starts.len() == 1, "time - uptime: {starts:?}");
    for (nth, time) in times.into_iter().enumerate() {
        // A second may begin between the two commands.
        let ttl_secs = one(&shown, &format!("exp of k{nth}"))? - time;
        ensure!((1000..=1001).contains(&ttl_secs), "{ttl_secs} to live");
        let used_after_secs = one(&shown, &format!("la of k{nth}"))? - time;
        ensure!((-1..=1).contains(&used_after_secs), "{used_after_secs}");
    }
    Ok(())
}

#[test]
fn every_dump_shows_the_same_times() -> Result<()> {
    watch(&Subject::memcached()?)?;
    watch(&Subject::memtwin()?)
}
