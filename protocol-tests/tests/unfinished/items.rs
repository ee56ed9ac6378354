//! Whatever clients have begun to send, items keep memory, and other saves go on.
//!
//! Two large uploads that stood still once held all of a node's memory: every session was evicted,
//! and what was saved afterwards was answered `STORED` and gone. An upload of which nothing had
//! come but its line, one that lacked only its line end, and replies that nobody read made every
//! large save of others fail for as long as their clients stayed.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

use crate::subjects;

const SESSIONS: usize = 500;
/// Longer than an input may stand still while others wait for its memory.
const PATIENCE: Duration = Duration::from_secs(60);

fn save_sessions(client: &mut Client) -> Result<()> {
    for nth in 0..SESSIONS {
        ensure!(client.set(&format!("session{nth}"), &[b's'; 1000])? == "STORED");
    }
    Ok(())
}

fn kept_sessions(client: &mut Client) -> Result<usize> {
    let mut kept = 0;
    for nth in 0..SESSIONS {
        kept += usize::from(client.get(&format!("session{nth}"))?.is_some());
    }
    Ok(kept)
}

/// Begins a `set` of `value_bytes` and sends all but the last of them.
fn begin(server: &Server, key: &str, value_bytes: usize) -> Result<Client> {
    let mut client = server.connect()?;
    client.send(format!("set {key} 0 0 {value_bytes}\r\n").as_bytes())?;
    let value = vec![b'v'; value_bytes - 1000];
    // Who has to wait is not read from.
    let mut rest = &value[..];
    while !rest.is_empty() {
        let sent = client.send_some(rest, Duration::from_millis(300))?;
        if sent == 0 {
            break;
        }
        rest = &rest[sent..];
    }
    Ok(client)
}

#[test]
fn uploads_that_stand_still_leave_items_their_memory() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &["-m", "64", "-I", "32m"])?;
        let mut client = server.connect()?;
        save_sessions(&mut client)?;
        let _uploads = [
            begin(&server, "first", 32_400_000)?,
            begin(&server, "second", 33_000_000)?,
        ];
        save_sessions(&mut client)?;
        let kept = kept_sessions(&mut client)?;
        ensure!(kept == SESSIONS, "{}: {kept} kept", server.kind());
    }
    Ok(())
}

#[test]
fn uploads_give_way_when_the_memory_limit_is_lowered_below_them() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &["-m", "1024", "-I", "20m"])?;
        let mut client = server.connect()?;
        let mut uploads = Vec::new();
        for nth in 0..8 {
            uploads.push(begin(&server, &format!("upload{nth}"), 10_000_000)?);
        }
        client.expect("cache_memlimit 64", "OK")?;
        eventually("items have memory again", || {
            save_sessions(&mut client)?;
            Ok(kept_sessions(&mut client)? == SESSIONS)
        })?;
    }
    Ok(())
}

#[test]
fn a_value_of_which_nothing_has_come_keeps_no_other_out() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &["-m", "64", "-I", "32m"])?;
        let mut silent = server.connect()?;
        silent.send(b"set announced 0 0 33000000\r\n")?;
        let mut client = server.connect()?;
        client.set_patience(PATIENCE);
        ensure!(client.set("large", &vec![b'v'; 33_000_000])? == "STORED");
    }
    Ok(())
}

/// Both take as long as an input may stand still: they do it at once.
#[test]
fn what_has_stalled_gives_way_in_every_state() -> Result<()> {
    thread::scope(|scope| {
        let lines = scope.spawn(lines_whose_replies_are_not_read);
        values_that_lack_their_line_end()?;
        lines.join().map_err(|_| anyhow!("it panicked"))?
    })
}

fn values_that_lack_their_line_end() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &["-m", "16", "-I", "4m"])?;
    let mut stalled = Vec::new();
    for nth in 0..3 {
        let mut client = server.connect()?;
        client.send(format!("set stalled{nth} 0 0 4000000\r\n").as_bytes())?;
        let value = vec![b'v'; 4_000_000];
        let _ = client.send_some(&value, Duration::from_secs(1))?;
        stalled.push(client);
    }
    let mut client = server.connect()?;
    client.set_patience(2 * PATIENCE);
    ensure!(client.set("other", &vec![b'v'; 4_000_000])? == "STORED");
    Ok(())
}

fn lines_whose_replies_are_not_read() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &["-m", "16", "-I", "4m"])?;
    let mut client = server.connect()?;
    client.set_patience(2 * PATIENCE);
    ensure!(client.set("k", &[b'v'; 16_000])? == "STORED");
    let line = [b"get".as_slice(), &b" k".repeat(480_000), b"\r\n"].concat();
    let mut readers = Vec::new();
    for _ in 0..12 {
        let mut reader = server.connect()?;
        let _ = reader.send_some(&line, Duration::from_millis(300))?;
        readers.push(reader);
    }
    ensure!(client.set("other", &vec![b'v'; 4_000_000])? == "STORED");
    Ok(())
}
