//! The binary protocol beyond single commands: cuts, pipelines, statistics, both protocols at once,
//! `-B`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::packets::opcode::*;
use protocol_tests::packets::table::{Of, closes_after, play_on, subjects};
use protocol_tests::packets::{Reply, count, packet, store};
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::Subject;

/// An `incr` with this expiry time makes no new number.
const NO_CREATION: u32 = u32::MAX;

/// `stat`: a packet for each, then an empty one; the keys are those of text.
#[test]
fn statistics_are_packets() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        for (key, text) in [("", "stats"), ("settings", "stats settings")] {
            client.send(&packet(STAT).key(key).opaque(6).bytes())?;
            let mut names = Vec::new();
            loop {
                let reply = Reply::read(&mut client)?;
                ensure!(
                    (reply.opcode, reply.status, reply.opaque) == (STAT, 0, 6),
                    "{reply}"
                );
                if reply.key.is_empty() {
                    ensure!(reply.value.is_empty(), "{reply}");
                    break;
                }
                ensure!(!reply.value.is_empty(), "{reply}");
                names.push(String::from_utf8(reply.key)?);
            }
            let mut expected: Vec<_> = server.connect()?.stats(text)?.into_keys().collect();
            names.sort();
            expected.sort();
            ensure!(names == expected, "{}: {names:?}", subject.kind());
        }
        play_on(
            &mut client,
            &[
                (packet(STAT).key("reset").opaque(2), "10 status=0 opaque=2"),
                (packet(STAT).key("nonsense"), "10 status=1 value=Not found"),
                (packet(STAT).key("conns"), "10 status=1 value=Not found"),
                (packet(STAT).key("extstore"), "10 status=1 value=Not found"),
                (packet(STAT).key("res"), "10 status=1 value=Not found"),
                // A word with something behind it is another word, but for these two.
                (packet(STAT).key(" items"), "10 status=1 value=Not found"),
                (packet(STAT).key("sizes x"), "10 status=1 value=Not found"),
                (
                    packet(STAT).key("reset x").opaque(3),
                    "10 status=0 opaque=3",
                ),
            ],
            false,
        )?;
    }
    Ok(())
}

/// Two clients, two protocols, one item.
#[test]
fn what_one_protocol_stores_the_other_reads() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        let (mut text, mut binary) = (server.connect()?, server.connect()?);
        text.expect("get a", "END")?;
        play_on(
            &mut binary,
            &[(store(SET, "a", 7, 0, b"12"), "01 status=0 cas")],
            false,
        )?;
        text.expect("incr a 1", "13")?;
        let got = "00 status=0 cas extras=00000007 value=13";
        play_on(&mut binary, &[(packet(GET).key("a"), got)], false)?;
        ensure!(text.ask("gets a")?.starts_with("VALUE a 7 2 "));
    }
    Ok(())
}

/// The scratch buffer, the tail, and the value that is received into its item all have their
/// edges; here a cut falls on each byte around memcached's 2048.
#[test]
fn packets_cut_anywhere_are_whole_again() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        for (value_len, cuts) in [
            (8, 1..90),
            (1024, 1000..1110),
            (2048, 1990..2110),
            (9000, 4000..4060),
        ] {
            let mut client = server.connect()?;
            let value = vec![b'v'; value_len];
            let pair = [
                store(SETQ, "alpha", 1, 0, &value).bytes(),
                store(SETQ, "beta", 2, 0, &value).bytes(),
                packet(GETK).key("alpha").bytes(),
                packet(NOOP).bytes(),
            ]
            .concat();
            for cut in cuts {
                let cut = cut.min(pair.len() - 1);
                client.send(&pair[..cut])?;
                // A pause of any length: the server may or may not have read.
                if cut % 8 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                client.send(&pair[cut..])?;
                let hit = Reply::read(&mut client)
                    .with_context(|| format!("{}: cut at {cut}", subject.kind()))?;
                ensure!(
                    (hit.opcode, hit.key.as_slice()) == (GETK, b"alpha".as_slice()),
                    "{hit}"
                );
                ensure!(
                    hit.value == value,
                    "{}: cut at {cut}: {hit}",
                    subject.kind()
                );
                ensure!(Reply::read(&mut client)?.opcode == NOOP);
            }
        }
    }
    Ok(())
}

/// A value whose last byte ends a read is stored without another byte to wait for.
#[test]
fn a_large_value_is_answered_when_its_last_byte_is_here() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        for value_len in [1023, 1024, 4096, 65_536, 200_000, 1_000_000] {
            let value: Vec<u8> = (0..value_len).map(|index| (index % 251) as u8).collect();
            let bytes = store(SET, "large", 9, 0, &value).bytes();
            let mut client = server.connect()?;
            for piece in bytes.chunks(70_001) {
                client.send(piece)?;
                std::thread::sleep(Duration::from_millis(2));
            }
            ensure!(Reply::read(&mut client)?.to_string() == "01 status=0 cas");
            client.send(&packet(GET).key("large").bytes())?;
            ensure!(
                Reply::read(&mut client)?.value == value,
                "{value_len} bytes changed"
            );
        }
    }
    Ok(())
}

/// More answers than a turn may hold, and a client that reads them late.
#[test]
fn a_long_pipeline_of_quiet_requests_is_answered_in_order() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        let mut bytes = store(SETQ, "big", 0, 0, &[b'b'; 50_000]).bytes();
        for index in 0..3000u32 {
            let key = format!("key{index}");
            bytes.extend(store(SETQ, &key, index, 0, key.as_bytes()).bytes());
            bytes.extend(packet(GETKQ).key(&key).opaque(index).bytes());
            bytes.extend(packet(GETQ).key("nobody").bytes());
            if index % 100 == 0 {
                bytes.extend(packet(GETQ).key("big").bytes());
            }
        }
        bytes.extend(packet(NOOP).bytes());
        let mut replies = client.send_while_receiving(&bytes)?;
        while !ends_with_noop(&replies) {
            replies.extend(client.read_within(Duration::from_millis(5))?);
        }
        let replies = Reply::parse_all(&replies)?;
        let opaques = replies.iter().filter(|reply| reply.opcode == GETKQ);
        ensure!(
            opaques.map(|reply| reply.opaque).eq(0..3000),
            "{}",
            subject.kind()
        );
        ensure!(replies.len() == 3000 + 30 + 1, "{} replies", replies.len());
    }
    Ok(())
}

fn ends_with_noop(bytes: &[u8]) -> bool {
    bytes.len() >= 24 && bytes[bytes.len() - 24..].starts_with(&[0x81, NOOP, 0, 0])
}

fn start_with_protocol(subject: &Subject, protocol: &str) -> Result<Server> {
    let port = free_port()?;
    let text = port.to_string();
    let flags = ["-l", "127.0.0.1", "-p", &text, "-B", protocol];
    let server = Server::spawn(subject, &flags, Address::Tcp(loopback(port)))?;
    protocol_tests::pair::eventually("the port is open", || Ok(server.is_open()))?;
    Ok(server)
}

#[test]
fn a_port_speaks_what_b_says() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let binary = start_with_protocol(&subject, "binary")?;
        let mut client = binary.connect()?;
        client.send(&[b'\n'; 100])?;
        ensure!(client.read_to_end()?.is_empty(), "{}", subject.kind());
        let mut client = binary.connect()?;
        play_on(
            &mut client,
            &[(packet(GET).key("a"), "00 status=1 value=Not found")],
            false,
        )?;

        let ascii = start_with_protocol(&subject, "ascii")?;
        let mut client = ascii.connect()?;
        client.send(&[packet(NOOP).bytes(), b"\r\nversion\r\n".to_vec()].concat())?;
        let answer = client.read_until(b"VERSION ")?;
        ensure!(
            !answer.contains(&0x81),
            "{}: {}",
            subject.kind(),
            answer.escape_ascii()
        );

        let auto = start_with_protocol(&subject, "auto")?;
        ensure!(auto.connect()?.ask("get a")? == "END");
        play_on(&mut auto.connect()?, &[], false)?;
    }
    Ok(())
}

#[test]
fn settings_tell_the_protocol() -> Result<()> {
    for subject in subjects(Of::Both)? {
        for (flag, shown) in [("auto", "auto-negotiate"), ("ascii", "ascii")] {
            let server = Server::start(&subject, &["-B", flag])?;
            let settings = server.connect()?.stats("stats settings")?;
            ensure!(settings["binding_protocol"] == shown, "{}", subject.kind());
        }
        let server = start_with_protocol(&subject, "binary")?;
        let mut client = server.connect()?;
        client.send(&packet(STAT).key("settings").bytes())?;
        loop {
            let reply = Reply::read(&mut client)?;
            ensure!(
                !reply.key.is_empty(),
                "{}: no binding_protocol",
                subject.kind()
            );
            if reply.key == b"binding_protocol" {
                ensure!(reply.value == b"binary", "{reply}");
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn quit_says_goodbye_and_quitq_does_not() -> Result<()> {
    let after = store(SET, "late", 0, 0, b"x").bytes();
    let quit = [packet(QUIT).opaque(3).bytes(), after.clone()].concat();
    closes_after(Of::Both, &quit, &["07 status=0 opaque=3"])?;
    let quitq = [packet(NOOP).bytes(), packet(QUITQ).bytes(), after].concat();
    closes_after(Of::Both, &quitq, &["0a status=0"])
}

/// But for `total_items`: memcached counts an `incr` there while another reply still holds the
/// item.
#[test]
fn counters_move_as_memcacheds_do() -> Result<()> {
    let rows = [
        store(SET, "a", 0, 0, b"1"),
        store(SET, "a", 0, 0, b"1").cas(12345),
        store(SET, "no", 0, 0, b"1").cas(12345),
        packet(GET).key("a"),
        packet(GETQ).key("missing"),
        packet(TOUCH).key("a").extras(&[0; 4]),
        packet(GAT).key("missing").extras(&[0; 4]),
        packet(DELETE).key("missing"),
        count(INCR, "a", 1, 0, 0),
        count(INCR, "missing", 1, 0, NO_CREATION),
        count(DECR, "made", 1, 0, 0),
        store(ADD, "a", 0, 0, b"1"),
        packet(APPEND).key("a").value(b"1"),
        packet(DELETE).key("a"),
        packet(FLUSH),
    ];
    let wanted = [
        "cmd_get",
        "get_hits",
        "get_misses",
        "cmd_set",
        "cmd_touch",
        "touch_hits",
        "touch_misses",
        "delete_hits",
        "delete_misses",
        "incr_hits",
        "incr_misses",
        "decr_hits",
        "decr_misses",
        "cas_hits",
        "cas_misses",
        "cas_badval",
        "cmd_flush",
    ];
    let mut seen = Vec::new();
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        for row in &rows {
            client.send(&row.bytes())?;
        }
        client.send(&packet(NOOP).bytes())?;
        while Reply::read(&mut client)?.opcode != NOOP {}
        let stats = server.connect()?.stats("stats")?;
        seen.push(wanted.map(|key| format!("{key}={}", stats[key])));
    }
    ensure!(
        seen[0] == seen[1],
        "memcached: {:?}\nmemtwin: {:?}",
        seen[0],
        seen[1]
    );
    Ok(())
}
