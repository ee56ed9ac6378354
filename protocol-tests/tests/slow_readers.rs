//! Clients that ask for much and read nothing.
//!
//! Their replies were in no account: a buffer of 256 KiB or twice that for each of them, so that
//! 500 such clients took 246 MB of a node with `-m 64`.

use anyhow::{Result, ensure};
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

const LIMIT_BYTES: u64 = 64 << 20;
const CLIENTS: usize = 500;
/// What each connection costs besides: its own state, and the requests that it has not executed.
const CONNECTION_BYTES: u64 = 8 << 10;
/// As much as is copied for each client.
const VALUE_BYTES: usize = 16_000;
/// More replies than a socket's buffers hold.
const GETS: usize = 500;

#[test]
fn replies_that_nobody_reads_stay_within_the_memory_limit() -> Result<()> {
    process::allow_open_files(4096)?;
    let server = Server::start(&Subject::memtwin()?, &["-m", "64", "-t", "2"])?;
    let mut other = server.connect()?;
    let value = vec![b'v'; VALUE_BYTES];
    for index in 0..5000 {
        ensure!(other.set(&format!("fill{index}"), &value)? == "STORED");
    }
    ensure!(other.set("asked", &value)? == "STORED");
    let requests = b"get asked\r\n".repeat(GETS);
    let mut clients = Vec::new();
    let mut most_bytes = 0;
    for _ in 0..CLIENTS {
        let mut client = server.connect()?;
        client.send(&requests)?;
        clients.push(client);
    }
    eventually("all wait for their clients to read", || {
        most_bytes = most_bytes.max(server.resident_bytes()?);
        let states = other.stats("stats conns")?;
        Ok(states
            .values()
            .filter(|state| *state == "conn_mwrite")
            .count()
            == CLIENTS)
    })?;
    // What is held for them is known as held, and others are served.
    ensure!(other.get("asked")?.is_some_and(|found| found == value));
    ensure!(other.set("asked", &value)? == "STORED");
    most_bytes = most_bytes.max(server.resident_bytes()?);
    eprintln!("{most_bytes} bytes resident");
    let allowed_bytes = LIMIT_BYTES * 6 / 5 + CLIENTS as u64 * CONNECTION_BYTES;
    ensure!(most_bytes <= allowed_bytes, "{most_bytes} resident");
    // Who reads after all gets everything.
    let mut last = clients.pop().ok_or_else(|| anyhow::anyhow!("no client"))?;
    let reply = [b"VALUE asked 0 16000\r\n", &value[..], b"\r\nEND\r\n"].concat();
    for nth in 0..GETS {
        ensure!(last.read_exactly(reply.len())? == reply, "reply {nth}");
    }
    Ok(())
}
