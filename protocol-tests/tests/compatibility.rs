//! COMPATIBILITY.md tells everything that `stats` prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

/// The names in the first cells of the table of this command.
fn told(command: &str) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../COMPATIBILITY.md");
    let text = fs::read_to_string(path)?;
    let (_, text) = text.split_once("\n## Statistics\n").context("no section")?;
    let quoted = format!("`{command}`");
    let mut rows = text.lines().skip_while(|line| {
        let first = line.split('|').nth(1).unwrap_or_default();
        let is_head = first.starts_with(" key of ") || first.starts_with(" line of ");
        !is_head || !first.contains(&quoted)
    });
    rows.next()
        .with_context(|| format!("no table of {command}"))?;
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap_or_default().to_owned());
    let names = cells.flat_map(|cell| {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect::<Vec<_>>()
    });
    Ok(names.collect())
}

/// A name with a star at its beginning or end stands for many.
fn stands_for(told: &str, key: &str) -> bool {
    match (told.strip_prefix('*'), told.strip_suffix('*')) {
        (Some(end), _) => key.ends_with(end),
        (_, Some(beginning)) => key.starts_with(beginning),
        _ => told == key,
    }
}

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
        let is_told = |key: &&String| !told.iter().any(|name| stands_for(name, key));
        let wanting: Vec<_> = printed.iter().filter(is_told).collect();
        ensure!(wanting.is_empty(), "no row of {table} for {wanting:?}");
    }
    Ok(())
}
