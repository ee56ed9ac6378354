//! Commands that look after the server, where an answer alone does not show what they do.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{self, Pair, eventually};
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

const PATIENCE: Duration = Duration::from_secs(20);

fn number(client: &mut Client, command: &str, name: &str) -> Result<u64> {
    let stats = client.stats(command)?;
    let value = stats.get(name).with_context(|| name.to_owned())?;
    Ok(value.parse()?)
}

#[test]
fn a_shutdown_that_is_allowed_ends_the_process() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        for command in ["shutdown", "shutdown graceful"] {
            let mut server = Server::start(&subject, &["-A"])?;
            let mut client = server.connect()?;
            client.send_line(command)?;
            let rest = client.read_to_end()?;
            let name = subject.kind();
            ensure!(rest.is_empty(), "{name}, {command}: {rest:?}");
            let status = server.wait_for_end(PATIENCE)?;
            ensure!(status.code() == Some(0), "{name}, {command}: {status}");
        }
    }
    Ok(())
}

#[test]
fn a_node_gives_its_partner_everything_before_a_shutdown() -> Result<()> {
    for command in ["shutdown", "shutdown graceful"] {
        let mut pair = Pair::start(&["-A"])?;
        let keys = pair::keys("last", 5000);
        let mut client = pair.client(0)?;
        pair::fill(&mut client, &keys, "word")?;
        client.send_line(command)?;
        ensure!(client.read_to_end()?.is_empty(), "more than a close");
        let status = pair.take(0)?.wait_for_end(PATIENCE)?;
        ensure!(status.code() == Some(0), "{command}: {status}");
        let mut partner = pair.client(1)?;
        for key in &keys {
            ensure!(partner.get(key)?.is_some(), "{command}: {key} is lost");
        }
    }
    Ok(())
}

#[test]
fn memory_is_taken_and_given_back_while_the_node_serves() -> Result<()> {
    const MIB: u64 = 1 << 20;
    let server = Server::start(&Subject::memtwin()?, &["-m", "64"])?;
    let mut client = server.connect()?;
    let value = vec![b'v'; 1000];
    for nth in 0..40_000 {
        ensure!(client.set(&format!("k{nth}"), &value)? == "STORED");
    }
    ensure!(number(&mut client, "stats", "evictions")? == 0, "too early");
    let before = number(&mut client, "stats", "bytes")?;
    ensure!(before > 40 * MIB, "only {before} bytes");
    // Less: what is used least goes, without anybody writing.
    client.expect("cache_memlimit 16", "OK")?;
    eventually("the node is within its new limit", || {
        Ok(number(&mut client, "stats", "bytes")? < 16 * MIB)
    })?;
    ensure!(number(&mut client, "stats", "evictions")? > 20_000);
    ensure!(client.get("k39999")?.is_some(), "the newest is gone");
    ensure!(client.get("k0")?.is_none(), "the oldest is there");
    ensure!(
        number(&mut client, "stats", "bytes")? > 10 * MIB,
        "too much went"
    );
    // More counts at once.
    client.expect("cache_memlimit 64", "OK")?;
    let evictions = number(&mut client, "stats", "evictions")?;
    for nth in 0..30_000 {
        ensure!(client.set(&format!("k{nth}"), &value)? == "STORED");
    }
    ensure!(number(&mut client, "stats", "evictions")? == evictions);
    server.is_well()
}

#[test]
fn with_less_memory_and_no_evictions_nothing_is_lost_and_nothing_comes_in() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &["-M", "-m", "64"])?;
    let mut client = server.connect()?;
    let value = vec![b'v'; 1000];
    for nth in 0..20_000 {
        ensure!(client.set(&format!("k{nth}"), &value)? == "STORED");
    }
    client.expect("cache_memlimit 8", "OK")?;
    let refusal = "SERVER_ERROR out of memory storing object";
    ensure!(client.set("one-more", &value)? == refusal);
    ensure!(number(&mut client, "stats", "curr_items")? == 20_000);
    client.expect("cache_memlimit 64", "OK")?;
    ensure!(client.set("one-more", &value)? == "STORED");
    Ok(())
}

/// Stores `count` items of 100 bytes.
fn fill(client: &mut Client, prefix: &str, count: usize) -> Result<()> {
    let value = "v".repeat(100);
    for start in (0..count).step_by(1000) {
        let lines: String = (start..count.min(start + 1000))
            .map(|nth| format!("set {prefix}{nth} 0 0 100 noreply\r\n{value}\r\n"))
            .collect();
        client.send(lines.as_bytes())?;
    }
    ensure!(client.ask("version")?.starts_with("VERSION"));
    Ok(())
}

/// The keys that a `metadump` answers.
fn dumped(client: &mut Client) -> Result<Vec<String>> {
    ensure!(client.ask("lru_crawler metadump all")? == "OK");
    let mut keys = Vec::new();
    loop {
        let line = client.read_text_line()?;
        if line == "END" {
            return Ok(keys);
        }
        let key = line.strip_prefix("key=").context("no key")?;
        let (key, _) = key.split_once(" exp=-1 la=").context("no exp")?;
        keys.push(key.to_owned());
    }
}

#[test]
fn a_dump_that_nobody_reads_takes_no_memory_and_stops_nobody() -> Result<()> {
    const ITEMS: usize = 200_000;
    let server = Server::start(&Subject::memtwin()?, &["-m", "256", "-t", "1"])?;
    let mut client = server.connect()?;
    fill(&mut client, "k", ITEMS)?;
    let before = server.resident_bytes()?;
    let mut idle = server.connect()?;
    idle.send_line("lru_crawler metadump all")?;
    ensure!(idle.read_text_line()? == "OK");
    let busy = "BUSY currently processing crawler request";
    for _ in 0..50 {
        // The same worker serves others, who do not get a dump of their own meanwhile.
        ensure!(client.get("k1")?.is_some());
        client.expect("lru_crawler metadump all", busy)?;
        client.expect("lru_crawler mgdump hash", busy)?;
        client.expect("lru_crawler crawl all", busy)?;
    }
    let grown = server.resident_bytes()?.saturating_sub(before);
    ensure!(grown < 8 << 20, "{grown} bytes for a dump");
    ensure!(number(&mut client, "stats", "lru_crawler_running")? == 1);
    // Whoever leaves makes room for the next.
    drop(idle);
    eventually("the dump is given up", || {
        Ok(number(&mut client, "stats", "lru_crawler_running")? == 0)
    })?;
    let keys = dumped(&mut client)?;
    ensure!(keys.len() == ITEMS, "{} keys", keys.len());
    let different: HashSet<_> = keys.into_iter().collect();
    ensure!(different.len() == ITEMS, "only {} differ", different.len());
    Ok(())
}

/// A turn that ended early went on at once, 61 times before the worker looked at other sockets: of
/// a dump of 400,000 items the others had about ten turns.
#[test]
fn others_have_their_turns_while_a_dump_streams() -> Result<()> {
    const ITEMS: usize = 400_000;
    let server = Server::start(&Subject::memtwin()?, &["-m", "256", "-t", "1"])?;
    let mut client = server.connect()?;
    fill(&mut client, "k", ITEMS)?;
    let done = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        let other = scope.spawn(|| -> Result<u32> {
            let mut other = server.connect()?;
            let mut served = 0;
            while !done.load(Ordering::Relaxed) {
                ensure!(other.get("k1")?.is_some());
                served += 1;
            }
            Ok(served)
        });
        let sent = client.send_line("lru_crawler metadump all");
        let all = client.read_until(b"END\r\n");
        done.store(true, Ordering::Relaxed);
        sent?;
        ensure!(all?.len() > ITEMS * 50, "no dump");
        other.join().map_err(|_| anyhow::anyhow!("the other"))?
    })?;
    ensure!(served > 60, "only {served} turns");
    Ok(())
}

#[test]
fn what_follows_a_dump_waits_for_its_end() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let mut client = server.connect()?;
    fill(&mut client, "k", 5000)?;
    client.send(b"lru_crawler mgdump all\r\nget none\r\n")?;
    ensure!(client.read_text_line()? == "OK");
    for _ in 0..5000 {
        let line = client.read_text_line()?;
        ensure!(line.starts_with("mg k"), "{line}");
    }
    ensure!(client.read_text_line()? == "EN");
    ensure!(client.read_text_line()? == "END");
    Ok(())
}

#[test]
fn a_dump_lists_what_stays_while_other_items_come_and_go() -> Result<()> {
    const ITEMS: usize = 50_000;
    let server = Server::start(&Subject::memtwin()?, &["-m", "256", "-t", "2"])?;
    let mut client = server.connect()?;
    fill(&mut client, "stays", ITEMS)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<()> {
            let mut client = server.connect()?;
            while !done.load(Ordering::Relaxed) {
                fill(&mut client, "comes", 1000)?;
                for nth in 0..1000 {
                    client.expect(&format!("delete comes{nth}"), "DELETED")?;
                }
            }
            Ok(())
        });
        let dumps = (|| {
            for _ in 0..5 {
                let keys = dumped(&mut client)?;
                let stayed: Vec<_> = keys.iter().filter(|key| key.starts_with("stays")).collect();
                ensure!(stayed.len() == ITEMS, "{} of those that stay", stayed.len());
                let different: HashSet<_> = stayed.into_iter().collect();
                ensure!(different.len() == ITEMS, "only {} differ", different.len());
            }
            Ok(())
        })();
        done.store(true, Ordering::Relaxed);
        let written = writer.join().map_err(|_| anyhow::anyhow!("the writer"))?;
        dumps.and(written)
    })?;
    server.is_well()
}
