//! A standard error that nobody reads stops nothing.
//!
//! A log line that could not be written held up the thread that had logged it. The partner of a
//! restarted node did not answer it for that reason, so the node opened empty and answered `END`
//! for sessions that its living partner held; no client was answered with `-v`, and SIGTERM did
//! nothing until somebody read the log.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{PATIENCE, Pair};
use protocol_tests::process;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::Subject;
use protocol_tests::unread::Unread;
use rustix::process::Signal;

/// More commands than the log has room for.
const COMMANDS: usize = 5000;

/// Has a node that logs every command log more than it keeps.
fn overflow(client: &mut Client) -> Result<()> {
    let padding = "x".repeat(200);
    for number in 0..COMMANDS {
        ensure!(client.get(&format!("{padding}{number}"))?.is_none());
    }
    Ok(())
}

fn dropped(client: &mut Client) -> Result<u64> {
    let stats = client.stats("stats replication")?;
    let dropped = stats
        .get("log_lines_dropped")
        .context("no such statistic")?;
    Ok(dropped.parse()?)
}

fn start(flags: &[&str]) -> Result<(Server, Unread)> {
    let port = free_port()?;
    let text = port.to_string();
    let flags = [&["-l", "127.0.0.1", "-p", &text], flags].concat();
    let (unread, stderr) = Unread::new()?;
    let address = Address::Tcp(loopback(port));
    let server = Server::spawn_logging_to(&Subject::memtwin()?, &flags, address, stderr)?;
    Ok((server, unread))
}

#[test]
fn a_pair_serves_replicates_and_stops() -> Result<()> {
    let mut pair = Pair::prepare(&[])?;
    pair.add_flag(0, "-vv");
    let (_unread, stderr) = Unread::new()?;
    pair.launch_logging_to(0, stderr)?;
    pair.launch(1)?;
    pair.wait_until_open(0)?;
    pair.wait_until_open(1)?;
    let mut client = pair.client(0)?;
    overflow(&mut client)?;
    ensure!(dropped(&mut client)? > 0, "nothing was dropped");
    ensure!(client.set("session", b"before")? == "STORED");
    pair.wait_for_value(1, "session", Some(b"before"))?;

    pair.kill(1);
    pair.wait_for_stat(0, "link", "down")?;
    ensure!(client.set("alone", b"meanwhile")? == "STORED");
    pair.launch(1)?;
    pair.wait_until_open(1)?;
    let mut other = pair.client(1)?;
    for (key, value) in [("session", b"before".as_slice()), ("alone", b"meanwhile")] {
        let got = other.get(key)?;
        ensure!(got.as_deref() == Some(value), "{key}: {got:?}");
    }
    ensure!(client.get("session")?.as_deref() == Some(b"before".as_slice()));

    let mut node = pair.take(0)?;
    node.signal(Signal::TERM)?;
    let status = node.wait_for_end(PATIENCE)?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn what_was_dropped_is_told_when_the_log_is_read_again() -> Result<()> {
    let (server, mut unread) = start(&["-vv"])?;
    server.wait_until_it_answers(PATIENCE)?;
    let mut client = server.connect()?;
    overflow(&mut client)?;
    let least = dropped(&mut client)?;
    ensure!(least > 0, "nothing was dropped");
    let told = unread.read_until("log lines were dropped")?;
    let line = told.lines().find(|line| line.contains("were dropped"));
    let line = line.context("no line")?;
    let mut words = line.split_whitespace();
    let number = words
        .by_ref()
        .find(|word| *word == "WARN")
        .and_then(|_| words.next());
    let number: u64 = number.context("no number")?.parse()?;
    ensure!(number >= least, "{number} of {least}: {line}");
    client.get("once-more")?;
    unread.read_until("get once-more")?;
    Ok(())
}

/// The end of a start that fails waited for whoever reads why.
#[test]
fn a_start_that_fails_ends() -> Result<()> {
    for (flags, code) in [(&["-t", "0"][..], 1), (&["-B", "http"], 64)] {
        let (mut server, _unread) = start(flags)?;
        let status = server.wait_for_end(PATIENCE)?;
        ensure!(status.code() == Some(code), "{flags:?}: {status}");
    }
    let (_unread, stderr) = Unread::new()?;
    let mut refused = Command::new(Subject::memtwin()?.program())
        .args(["check-config", "/nonexistent/file"])
        .stderr(stderr)
        .spawn()?;
    let status = process::wait_for_end(&mut refused, PATIENCE)?;
    ensure!(status.code() == Some(78), "{status}");
    Ok(())
}
