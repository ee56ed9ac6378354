//! What is logged at `-v`: no line for each connection, and none for each failure of a client.
//!
//! `-v` logged two lines for every connection. Charts pass `-v`, and PHP opens a connection per
//! request, so the log grew by gigabytes. Whoever guessed passwords had a line for each, too.
//! memcached logs connections at `-vv`.

use std::io::Write;
use std::net::TcpStream;

use anyhow::{Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::Reply;
use protocol_tests::pair::{PATIENCE, eventually};
use protocol_tests::passwords::{SaslServer, plain};
use protocol_tests::server::{Address, Server};
use protocol_tests::subject::Subject;
use protocol_tests::tls::Trust;
use rustix::process::Signal;

const CLIENTS: usize = 500;
/// Lines that may be there for other reasons: the start, the stop, and a line of each kind.
const FEW: usize = 30;

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// Ends the server, for then everything has been logged; its log.
fn log_of(mut server: Server) -> Result<String> {
    server.signal(Signal::TERM)?;
    server.wait_for_end(PATIENCE)?;
    Ok(server.log())
}

fn few_lines(log: &str, why: &str) -> Result<()> {
    let lines = log.lines().count();
    ensure!(lines <= FEW, "{lines} lines for {why}:\n{log:.2000}");
    Ok(())
}

fn connect_and_leave(server: &Server) -> Result<()> {
    for _ in 0..CLIENTS {
        ensure!(server.connect()?.get("key")?.is_none());
    }
    let mut client = server.connect()?;
    eventually("they are gone", || {
        let stats = client.stats("stats")?;
        Ok(stats["curr_connections"].parse::<usize>()? <= 5)
    })
}

#[test]
fn connections_are_logged_at_vv_only() -> Result<()> {
    for subject in subjects()? {
        for flag in ["", "-v"] {
            let flags = [flag];
            let flags = if flag.is_empty() { &[][..] } else { &flags };
            let server = Server::start(&subject, flags)?;
            connect_and_leave(&server)?;
            few_lines(&log_of(server)?, "500 connections")?;
        }
        let server = Server::start(&subject, &["-vv"])?;
        connect_and_leave(&server)?;
        let lines = log_of(server)?.lines().count();
        ensure!(
            lines > 2 * CLIENTS,
            "{}: {lines} lines at -vv",
            subject.kind()
        );
    }
    Ok(())
}

#[test]
fn failed_logins_are_told_once_at_v() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let users = folder.path().join("users");
    std::fs::write(&users, "user:password\n")?;
    let flags = ["-v", "-Y", &users.to_string_lossy()];
    let server = Server::start(&Subject::memtwin()?, &flags)?;
    for _ in 0..CLIENTS {
        let answer = server.connect()?.set("any", b"user guess")?;
        ensure!(answer == "CLIENT_ERROR authentication failure", "{answer}");
    }
    told_once(&log_of(server)?, "a client failed to authenticate")?;

    let sasl = SaslServer::start_with(&Subject::memtwin()?, &["-v"])?;
    for _ in 0..CLIENTS {
        let mut client = sasl.server.connect()?;
        client.send(&plain("user", "guess").bytes())?;
        ensure!(Reply::read(&mut client)?.status == 0x20);
    }
    told_once(&log_of(sasl.server)?, "a client failed to authenticate")
}

#[test]
fn failed_handshakes_are_told_once_at_v() -> Result<()> {
    let trust = Trust::new()?;
    let server = trust.start(&Subject::memtwin()?, &["-v"])?;
    let (Address::Tcp(address) | Address::Tls(address, _)) = server.address() else {
        bail!("no port");
    };
    for _ in 0..CLIENTS {
        TcpStream::connect(address)?.write_all(b"get key\r\n")?;
    }
    let mut client = server.connect()?;
    eventually("all have failed", || {
        let stats = client.stats("stats")?;
        Ok(stats["ssl_handshake_errors"].parse::<usize>()? >= CLIENTS)
    })?;
    told_once(&log_of(server)?, "a TLS handshake failed")
}

/// One client could fill the log, even without `-v`.
#[test]
fn a_client_that_changes_the_memory_limit_is_told_a_few_times() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let mut client = server.connect()?;
    for number in 0..CLIENTS {
        client.expect(&format!("cache_memlimit {}", 64 + number % 2), "OK")?;
    }
    let log = log_of(server)?;
    ensure!(log.contains("the memory limit was changed"), "{log}");
    few_lines(&log, "500 changes of the memory limit")
}

/// And so could one that lets `stats detail` overflow again and again.
#[test]
fn prefixes_without_room_are_told_a_few_times() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let mut client = server.connect()?;
    client.expect("stats detail on", "OK")?;
    // 64 KiB of prefixes are counted, and this is more.
    let keys: Vec<String> = (0..400).map(|number| format!("{number:0200}:x")).collect();
    for _ in 0..60 {
        one_line_each(&mut client, &keys)?;
        client.expect("stats reset", "RESET")?;
    }
    let log = log_of(server)?;
    ensure!(log.contains("no room for more prefixes"), "{log}");
    few_lines(&log, "60 overflows")
}

fn one_line_each(client: &mut Client, keys: &[String]) -> Result<()> {
    for some in keys.chunks(50) {
        client.send_line(&format!("get {}", some.join(" ")))?;
        client.read_until(b"END\r\n")?;
    }
    Ok(())
}

fn told_once(log: &str, words: &str) -> Result<()> {
    ensure!(
        log.matches(words).count() == 1,
        "not once {words:?}:\n{log:.2000}"
    );
    few_lines(log, words)
}

/// Each line of a file of passwords that is none had a line in the log.
#[test]
fn a_bad_file_of_passwords_is_told_once() -> Result<()> {
    let sasl = SaslServer::start(&Subject::memtwin()?)?;
    sasl.write_users(&"no colon\n".repeat(CLIENTS))?;
    sasl.server.signal(Signal::HUP)?;
    sasl.server.wait_until_logged("reloaded")?;
    told_once(&log_of(sasl.server)?, "without a colon")
}
