//! `watch evictions`: whoever has caused one, it is told or counted as not told.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::Pair;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;
use protocol_tests::watching::{field, next, watcher};

/// The tries for what takes a moment.
const TRIES: usize = 1000;
const VALUE: [u8; 1000] = [b'v'; 1000];

/// Stores items, of which those with an odd number live for 500 s.
fn store(client: &mut Client, from: usize, to: usize) -> Result<()> {
    for nth in from..to {
        let exptime = if nth.is_multiple_of(2) { 0 } else { 500 };
        let answer = client.store("set", &format!("k{nth}"), exptime, &VALUE)?;
        ensure!(answer == "STORED", "{answer}");
    }
    Ok(())
}

/// Waits until as many evictions are told or known to be missed as were counted, and no fewer than
/// `least`.
fn all_are_accounted_for(client: &mut Client, least: u64) -> Result<()> {
    let mut counted = (0, 0);
    for _ in 0..TRIES {
        let stats = client.stats("stats")?;
        let number = |name: &str| stats[name].parse::<u64>();
        let told = number("log_watcher_sent")?;
        let missed = number("log_watcher_skipped")? + number("log_worker_dropped")?;
        counted = (number("evictions")?, told + missed);
        if counted.0 > least && counted.0 == counted.1 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("evictions counted, and told or missed: {counted:?}");
}

/// The lines of [`store`]'s items.
fn lines_are_right(watcher: &mut Client) -> Result<()> {
    for _ in 0..100 {
        let line = next(watcher)?;
        let key = field(&line, "key")?;
        let nth: usize = key.trim_start_matches('k').parse()?;
        let ttl_secs: i64 = field(&line, "ttl")?.parse()?;
        let lives_on = ttl_secs == -1 || (400..=500).contains(&ttl_secs);
        ensure!(
            lives_on && (ttl_secs == -1) == (nth.is_multiple_of(2)),
            "{line}"
        );
        ensure!(field(&line, "fetch")? == "no", "{line}");
        ensure!(field(&line, "la")?.parse::<u64>()? < 100, "{line}");
        let wanted = format!("type=eviction key={key} fetch=no ttl={ttl_secs} la=");
        ensure!(line.starts_with(&wanted), "{line}");
        ensure!(line.ends_with(" clsid=12 size=1000"), "{line}");
    }
    Ok(())
}

#[test]
fn evictions_are_told_or_counted() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let server = Server::start(&subject, &["-m", "8"])?;
        let mut client = server.connect()?;
        store(&mut client, 0, 10_000)?;
        client.expect("stats reset", "RESET")?;
        let mut watcher = watcher(&server, "evictions")?;
        store(&mut client, 10_000, 22_000)?;
        all_are_accounted_for(&mut client, 10_000)?;
        lines_are_right(&mut watcher)?;
    }
    Ok(())
}

/// They were counted only, and a watcher on a failover node saw none.
#[test]
fn evictions_by_the_partners_writes_are_told() -> Result<()> {
    let pair = Pair::start(&["-m", "8"])?;
    let failover = pair.node(1)?;
    let mut watcher = watcher(failover, "evictions")?;
    store(&mut pair.client(0)?, 0, 12_000)?;
    all_are_accounted_for(&mut pair.client(1)?, 2000)?;
    lines_are_right(&mut watcher)
}

#[test]
fn evictions_by_a_lower_limit_are_told() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &["-m", "64"])?;
    let mut client = server.connect()?;
    store(&mut client, 0, 20_000)?;
    let mut watcher = watcher(&server, "evictions")?;
    client.expect("cache_memlimit 8", "OK")?;
    all_are_accounted_for(&mut client, 10_000)?;
    lines_are_right(&mut watcher)
}
