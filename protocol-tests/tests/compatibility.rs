//! The documents tell everything that `stats` prints.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::compatibility::{told, told_in};
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

/// The keys that are printed, without the class or connection before them.
fn printed(client: &mut Client, command: &str) -> Result<BTreeSet<String>> {
    client.send_line(command)?;
    let mut keys = BTreeSet::new();
    loop {
        let line = client.read_text_line()?;
        if line == "END" {
            return Ok(keys);
        }
        let mut words = line.split(' ');
        match words.next() {
            Some("STAT") => {
                let name = words.next().unwrap_or_default();
                let key = name.rsplit(':').next().unwrap_or_default();
                // The keys of `stats sizes` are sizes.
                if !key.bytes().all(|byte| byte.is_ascii_digit()) {
                    keys.insert(key.to_owned());
                }
            }
            Some("PREFIX") => {
                keys.insert("PREFIX".to_owned());
                keys.extend(words.skip(1).step_by(2).map(str::to_owned));
            }
            other => anyhow::bail!("{command}: {other:?} in {line:?}"),
        }
    }
}

#[test]
fn every_key_of_the_statistics_has_a_row() -> Result<()> {
    let flags = ["-D", ":", "-o", "track_sizes,idle_timeout=600"];
    let server = Server::start(&Subject::memtwin()?, &flags)?;
    let mut client = server.connect()?;
    ensure!(client.set("a:b", b"1")? == "STORED");
    ensure!(client.get("a:b")?.is_some());
    for (command, least) in [
        ("stats", 93),
        ("stats settings", 66),
        ("stats items", 20),
        ("stats slabs", 15),
        ("stats sizes", 0),
        ("stats conns", 4),
        ("stats detail dump", 5),
    ] {
        let printed = printed(&mut client, command)?;
        ensure!(printed.len() >= least, "{command} prints only {printed:?}");
        let table = command.strip_suffix(" dump").unwrap_or(command);
        let told = told(table)?;
        let is_told = |key: &&String| !told.iter().any(|row| row.speaks_of(key));
        let wanting: Vec<_> = printed.iter().filter(is_told).collect();
        ensure!(wanting.is_empty(), "no row of {table} for {wanting:?}");
    }
    Ok(())
}

#[test]
fn every_key_of_stats_replication_is_explained() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let printed = printed(&mut server.connect()?, "stats replication")?;
    ensure!(printed.len() >= 30, "only {printed:?}");
    let told = told_in("docs/operating.md", "stats replication")?;
    let is_told = |key: &&String| !told.iter().any(|row| row.speaks_of(key));
    let wanting: Vec<_> = printed.iter().filter(is_told).collect();
    ensure!(wanting.is_empty(), "docs/operating.md lacks {wanting:?}");
    Ok(())
}
