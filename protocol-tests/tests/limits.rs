//! Limits a flag sets: connections, memory without evictions.

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

#[test]
fn a_connection_too_many_is_told_so_and_closed() -> Result<()> {
    process::allow_open_files(4096)?;
    for subject in subjects()? {
        let server = Server::start(&subject, &["-c", "100"])?;
        let mut clients: Vec<Client> = Vec::new();
        let mut refused = 0;
        for _ in 0..110 {
            let mut client = server.connect()?;
            // It is refused before it says anything, so what it says may be lost.
            let _ = client.send(b"get nothing\r\n");
            match client.read_text_line()?.as_str() {
                "END" => clients.push(client),
                "ERROR Too many open connections" => {
                    ensure!(client.read_to_end()?.is_empty(), "more than the error");
                    refused += 1;
                }
                other => anyhow::bail!("{}: {other}", subject.kind()),
            }
        }
        // memcached counts its own descriptors too: of 100 it leaves 75 to clients.
        ensure!(
            (70..=100).contains(&clients.len()),
            "{} were accepted",
            clients.len()
        );
        ensure!(refused > 0, "none was refused");
        let stats = clients[0].stats("stats")?;
        ensure!(
            stats.get("rejected_connections") == Some(&refused.to_string()),
            "{stats:?}"
        );
        // A place that becomes free is given to the next.
        clients.truncate(50);
        eventually("a new client is let in", || Ok(server.answers()))?;
        ensure!(clients[0].ask("get nothing")? == "END");
    }
    Ok(())
}

#[test]
fn without_evictions_a_full_cache_refuses_and_loses_nothing() -> Result<()> {
    let value = vec![b'v'; 1000];
    for subject in subjects()? {
        let server = Server::start(&subject, &["-M", "-m", "2"])?;
        let mut client = server.connect()?;
        let mut stored = 0;
        let refusal = loop {
            let answer = client.set(&format!("dash{stored}"), &value)?;
            if answer != "STORED" {
                break answer;
            }
            stored += 1;
            ensure!(stored < 10_000, "{}: 10 MB fit into 2", subject.kind());
        };
        let name = subject.kind();
        ensure!(
            refusal == "SERVER_ERROR out of memory storing object",
            "{name}: {refusal}"
        );
        ensure!(stored > 100, "{name}: full after {stored} items");
        // A replacement may need more room than it frees; refused, it leaves no stale value.
        ensure!(
            client.store("add", "another", 0, &value)? == refusal,
            "{name}: add"
        );
        for index in 0..stored {
            ensure!(
                client.get(&format!("dash{index}"))?.is_some(),
                "{name}: dash{index} is gone"
            );
        }
        let stats = client.stats("stats")?;
        for (key, count) in [("evictions", "0"), ("store_no_memory", "2")] {
            let got = stats.get(key).map(String::as_str);
            ensure!(got == Some(count), "{name}: {key} is {got:?}");
        }
        // Room that is made is used.
        for index in 0..stored / 2 {
            ensure!(client.ask(&format!("delete dash{index}"))? == "DELETED");
        }
        ensure!(
            client.set("another", &value)? == "STORED",
            "{name}: no room after deletes"
        );
    }
    Ok(())
}

#[test]
fn with_evictions_a_full_cache_keeps_what_is_used() -> Result<()> {
    let value = vec![b'v'; 1000];
    for subject in subjects()? {
        let server = Server::start(&subject, &["-m", "8"])?;
        let mut client = server.connect()?;
        for index in 0..30_000 {
            ensure!(client.set(&format!("key{index}"), &value)? == "STORED");
            if index % 50 == 0 {
                ensure!(
                    client.get("key0")?.is_some(),
                    "{}: evicted at {index}",
                    subject.kind()
                );
            }
        }
        ensure!(
            client.get("key100")?.is_none(),
            "{}: nothing is evicted",
            subject.kind()
        );
        ensure!(client.get("key29999")?.is_some());
        let stats = client.stats("stats")?;
        ensure!(
            stats.get("evictions").is_some_and(|count| count != "0"),
            "{stats:?}"
        );
    }
    Ok(())
}

/// `verbosity` was answered `OK`, and the log went on as before.
#[test]
fn the_log_follows_the_verbosity() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let mut client = server.connect()?;
    for (level, key) in [(0, "quiet"), (2, "loud"), (0, "quiet-again"), (2, "last")] {
        ensure!(client.ask(&format!("verbosity {level}"))? == "OK");
        client.get(key)?;
    }
    server.wait_until_logged("get last")?;
    let log = server.log();
    ensure!(log.contains("get loud"), "-vv shows no commands:\n{log}");
    ensure!(!log.contains("quiet"), "commands without -vv:\n{log}");
    Ok(())
}
