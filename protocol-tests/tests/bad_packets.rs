//! Packets no client should send: a clear answer or a closed connection, bounded memory, never a
//! crash, never an effect on other clients.
//!
//! CVE numbers name the memcached bug an input once set off.

use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::packets::opcode::{GATK, GATKQ, GETK, GETKQ, NOOP};
use protocol_tests::packets::{Reply, packet, raw_header, store};
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

/// Long enough for an answer that would come, short enough to ask many times.
const GLANCE: Duration = Duration::from_millis(50);

#[test]
fn known_attacks_on_the_binary_protocol_are_answered() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &["-vv"])?;
    // opcode, key length, extras length, body length; the status, after which it is closed
    let attacks = [
        ("CVE-2011-4971", raw_header(0x12, 1, 8, 0xffff_ffe8), 4),
        ("CVE-2011-4971", raw_header(0x01, 1, 8, 1 << 31), 4),
        ("CVE-2016-8704", raw_header(0x1a, 0xfa, 0, 0), 0x81),
        ("CVE-2016-8704", raw_header(0x0e, 0xfa, 0, 1), 0x81),
        ("CVE-2016-8705", raw_header(0x02, 0xfa, 8, 0xffff_ffd0), 4),
        ("CVE-2016-8705", raw_header(0x01, 0xfa, 8, 0), 0x81),
        ("CVE-2016-8706", raw_header(0x21, 0x20, 0, 1), 0x81),
        ("CVE-2017-9951", raw_header(0x0d, 1, 0x20, 0x10), 0x81),
        ("CVE-2017-9951", raw_header(0x0d, 0xffff, 0, 0xffff), 4),
        ("CVE-2017-9951", raw_header(0x1c, 0xfffe, 4, u32::MAX), 4),
        ("CVE-2020-10931", raw_header(0x00, 1, 0xff, 0x100), 4),
        ("CVE-2020-10931", raw_header(0x05, 1, 0xff, 0x100), 4),
        ("issue 192", raw_header(0x01, 1, 8, 0xffff_ffe8), 4),
        ("2026-05", raw_header(0x01, 3, 8, 0x8000_0000 - 2), 4),
    ];
    for (bug, header, status) in attacks {
        let mut client = server.connect()?;
        client.send(&[header.as_slice(), &[b'A'; 1000]].concat())?;
        let reply = Reply::read(&mut client)?;
        ensure!(reply.status == status, "{bug}: {reply}");
        client.read_to_end()?;
        server.is_well()?;
    }
    // spymemcached sends a step before it has begun (2018); a longer one follows a shorter one.
    let mut client = server.connect()?;
    for (opcode, value) in [(0x22, "x"), (0x21, ""), (0x21, "a longer one"), (0x22, "")] {
        client.send(&packet(opcode).key("PLAIN").value(value.as_bytes()).bytes())?;
        ensure!(Reply::read(&mut client)?.status == 0x81);
    }
    server.is_well()
}

/// CVE-2018-1000127, found again in binary quiet gets in 2026; and a value refused again and again.
#[test]
fn binary_clients_that_do_not_read_are_bounded() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    ensure!(server.connect()?.set("large", &vec![b'v'; 20_000])? == "STORED");
    let before = server.resident_bytes()?;
    let asks = packet(0x09).key("large").bytes().repeat(100_000);
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut client = server.connect()?;
        client.send_some(&asks, GLANCE)?;
        slow.push(client);
    }
    ensure!(server.connect()?.set("large", b"new")? == "STORED");
    server.is_well()?;
    let grown = server.resident_bytes()?.saturating_sub(before);
    ensure!(grown < 64 << 20, "{grown} bytes more");
    let mut client = server.connect()?;
    let refused = store(0x01, "large", 0, 0, &vec![0x80; 2 << 20]).bytes();
    for _ in 0..20 {
        client.send(&refused)?;
        ensure!(Reply::read(&mut client)?.status == 3);
    }
    server.is_well()?;
    ensure!(server.connect()?.get("large")?.is_none());
    Ok(())
}

/// A `getk` of a value that was gone by then hung a worker in 2026.
#[test]
fn gets_with_a_key_survive_that_the_value_goes() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &["-t", "1"])?;
    let later = 100u32.to_be_bytes();
    let asks: Vec<u8> = [GETK, GETKQ, GATK, GATKQ]
        .iter()
        .flat_map(|&opcode| {
            let ask = packet(opcode).key("large");
            let touches = matches!(opcode, GATK | GATKQ);
            if touches { ask.extras(&later) } else { ask }.bytes()
        })
        .collect();
    let mut reader = server.connect()?;
    for round in 0..50u32 {
        ensure!(server.connect()?.set("large", &vec![b'v'; 200_000])? == "STORED");
        reader.send(&asks)?;
        let mut other = server.connect()?;
        ensure!(other.ask("delete large")?.ends_with('D'));
        reader.send(&[asks.as_slice(), &packet(NOOP).opaque(round).bytes()].concat())?;
        // Hits while it was there, misses of the loud forms after that, and then the noop.
        loop {
            let reply = Reply::read(&mut reader)?;
            ensure!(matches!(reply.status, 0 | 1), "{reply}");
            ensure!(reply.opcode == NOOP || reply.key == b"large", "{reply}");
            if reply.opcode == NOOP {
                break;
            }
        }
    }
    server.is_well()
}

#[test]
fn random_packets_do_no_harm() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut kept = Vec::new();
    for round in 0..400 {
        let mut bytes = Vec::new();
        for _ in 0..rng.usize(1..30) {
            let (key_len, extras_len) = (rng.u16(0..300), [0, 4, 8, 20, 255][rng.usize(0..5)]);
            let body_len = match rng.u32(0..4) {
                0 => rng.u32(..),
                _ => u32::from(key_len) + u32::from(extras_len) + rng.u32(0..3000),
            };
            bytes.extend(raw_header(rng.u8(0..0x30), key_len, extras_len, body_len));
            bytes.extend((0..body_len.min(4000)).map(|_| rng.u8(..)));
        }
        let mut client = server.connect()?;
        // Closed while we write is an answer too.
        let _ = client.send_some(&bytes, GLANCE);
        if round % 2 == 0 {
            kept.push(client);
        }
    }
    server.is_well()
}
