//! Tables of packets and the replies they must get.
//!
//! A reply is written as [`Reply`] shows itself; an empty text is no reply.

use anyhow::{Context, Result, ensure};

use super::opcode::NOOP;
use super::{Packet, Reply, packet};
use crate::client::Client;
use crate::server::Server;
use crate::subject::Subject;

/// A packet and its reply.
pub type Row = (Packet, &'static str);

/// Whom a case is true of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// memcached and memtwin.
    Both,
    /// memtwin alone.
    Memtwin,
}

/// The programs.
pub fn subjects(of: Of) -> Result<Vec<Subject>> {
    Ok(match of {
        Of::Both => vec![Subject::memcached()?, Subject::memtwin()?],
        Of::Memtwin => vec![Subject::memtwin()?],
    })
}

/// Plays the rows one by one, then all at once in one write.
pub fn play(of: Of, rows: &[Row]) -> Result<()> {
    for subject in subjects(of)? {
        for at_once in [false, true] {
            let server = Server::start(&subject, &[])?;
            let mut client = server.connect()?;
            play_on(&mut client, rows, at_once)
                .with_context(|| format!("{}, at once: {at_once}", subject.kind()))?;
            ensure!(server.answers(), "{}", server.log());
        }
    }
    Ok(())
}

/// Plays the rows on a connection, one by one or all at once.
pub fn play_on(client: &mut Client, rows: &[Row], at_once: bool) -> Result<()> {
    if at_once {
        let all: Vec<u8> = rows.iter().flat_map(|(packet, _)| packet.bytes()).collect();
        client.send(&all)?;
    }
    for (index, (packet, expected)) in rows.iter().enumerate() {
        if !at_once {
            client.send(&packet.bytes())?;
        }
        if !expected.is_empty() {
            let got = Reply::read(client)
                .with_context(|| format!("row {index}, expected {expected}"))?
                .to_string();
            ensure!(
                got == *expected,
                "row {index}: {got}\n  instead of {expected}"
            );
        }
    }
    // A reply too many would come before this one.
    client.send(&packet(NOOP).opaque(0xdead_beef).bytes())?;
    let end = Reply::read(client)?;
    ensure!(
        end.to_string() == "0a status=0 opaque=deadbeef",
        "at the end: {end}"
    );
    Ok(())
}

/// Sends bytes to each; the replies must be these, then the connection closes.
pub fn closes_after(of: Of, bytes: &[u8], expected: &[&str]) -> Result<()> {
    for subject in subjects(of)? {
        let server = Server::start(&subject, &[])?;
        closes_on(&server, bytes, expected)?;
    }
    Ok(())
}

fn closes_on(server: &Server, bytes: &[u8], expected: &[&str]) -> Result<()> {
    let mut client = server.connect()?;
    client.send(bytes)?;
    let got = client
        .read_to_end()
        .with_context(|| format!("{}: {}", server.kind(), bytes.escape_ascii()))?;
    let got: Vec<String> = Reply::parse_all(&got)?
        .iter()
        .map(Reply::to_string)
        .collect();
    ensure!(
        got == expected,
        "{}: {got:?} to {}",
        server.kind(),
        bytes.escape_ascii()
    );
    ensure!(server.answers(), "{}", server.log());
    Ok(())
}
