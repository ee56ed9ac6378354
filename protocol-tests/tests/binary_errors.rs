//! What the binary protocol refuses: with which status, and whether the connection goes on.

use anyhow::{Context, Result, ensure};
use protocol_tests::packets::opcode::*;
use protocol_tests::packets::table::{Of, Row, closes_after, play, play_on, subjects};
use protocol_tests::packets::{Packet, Reply, packet, raw_header, store};
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};

/// 1.6.45 swallows too much after an unknown opcode with a body, so only memtwin goes on exactly.
#[test]
fn unknown_opcodes_are_answered_and_the_connection_goes_on() -> Result<()> {
    let unknown: Vec<u8> = [0x1b, 0x1f].into_iter().chain(0x25..=0xff).collect();
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        for &opcode in &unknown {
            client.send(&packet(opcode).opaque(5).bytes())?;
            let expected = format!("{opcode:02x} status=81 opaque=5 value=Unknown command");
            let got = Reply::read(&mut client)?.to_string();
            ensure!(got == expected, "{}: {got}", subject.kind());
        }
        play_on(&mut client, &[], false)?;
    }
    let with_body = |opcode: u8| {
        packet(opcode)
            .extras(&[1; 40])
            .key("key")
            .value(&[0x80; 3000])
    };
    let rows: Vec<Row> = vec![
        (with_body(0x1b), "1b status=81 value=Unknown command"),
        (with_body(0x40), "40 status=81 value=Unknown command"),
        (store(SET, "a", 0, 0, b"1"), "01 status=0 cas"),
        (with_body(0xff), "ff status=81 value=Unknown command"),
        (
            packet(GET).key("a"),
            "00 status=0 cas extras=00000000 value=1",
        ),
    ];
    play(Of::Memtwin, &rows)
}

/// bmemcached and spymemcached go on without a password after this.
#[test]
fn sasl_without_passwords_is_unknown_and_the_connection_goes_on() -> Result<()> {
    play(
        Of::Both,
        &[
            (packet(SASL_LIST), "20 status=81 value=Unknown command"),
            (
                packet(SASL_AUTH).key("PLAIN").value(b"\0user\0pass"),
                "21 status=81 value=Unknown command",
            ),
            (
                packet(SASL_STEP).key("PLAIN").value(b"\0user\0pass"),
                "22 status=81 value=Unknown command",
            ),
            (
                packet(SASL_AUTH).key("PLAIN"),
                "21 status=81 value=Unknown command",
            ),
        ],
    )
}

#[test]
fn a_packet_that_is_no_such_commands_closes() -> Result<()> {
    let long_key = "k".repeat(251);
    let mut wrong: Vec<Packet> = Vec::new();
    for opcode in [GET, GETQ, GETK, GETKQ, DELETE, DELETEQ] {
        wrong.push(packet(opcode));
        wrong.push(packet(opcode).key("a").extras(&[0; 4]));
        wrong.push(packet(opcode).key("a").value(b"v"));
        wrong.push(packet(opcode).key(&long_key));
    }
    for opcode in [SET, ADD, REPLACE, SETQ, ADDQ, REPLACEQ] {
        wrong.push(packet(opcode).extras(&[0; 8]).value(b"v"));
        wrong.push(packet(opcode).key("a").extras(&[0; 4]).value(b"v"));
        wrong.push(packet(opcode).key("a").extras(&[0; 9]).value(b"v"));
        wrong.push(packet(opcode).key(&long_key).extras(&[0; 8]));
    }
    for opcode in [INCR, DECR, INCRQ, DECRQ] {
        wrong.push(packet(opcode).extras(&[0; 20]));
        wrong.push(packet(opcode).key("a").extras(&[0; 16]));
        wrong.push(packet(opcode).key("a").extras(&[0; 20]).value(b"v"));
    }
    for opcode in [APPEND, PREPEND, APPENDQ, PREPENDQ] {
        wrong.push(packet(opcode).value(b"v"));
        wrong.push(packet(opcode).key("a").extras(&[0; 8]).value(b"v"));
    }
    for opcode in [TOUCH, GAT, GATQ, GATK, GATKQ] {
        wrong.push(packet(opcode).extras(&[0; 4]));
        wrong.push(packet(opcode).key("a"));
        wrong.push(packet(opcode).key("a").extras(&[0; 8]));
    }
    for opcode in [FLUSH, FLUSHQ] {
        wrong.push(packet(opcode).key("a"));
        wrong.push(packet(opcode).extras(&[0; 8]));
        wrong.push(packet(opcode).extras(&[0; 4]).value(b"v"));
    }
    for opcode in [NOOP, VERSION, QUIT, QUITQ, SASL_LIST] {
        wrong.push(packet(opcode).key("a"));
        wrong.push(packet(opcode).extras(&[0; 4]));
        wrong.push(packet(opcode).value(b"v"));
    }
    wrong.push(packet(STAT).extras(&[0; 4]));
    wrong.push(packet(SASL_AUTH).value(b"v"));
    wrong.push(packet(SASL_STEP).key("PLAIN").extras(&[0; 4]));
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        for packet in &wrong {
            let bytes = packet.bytes();
            let expected = format!("{:02x} status=4 value=Invalid arguments", bytes[1]);
            // What a closing server has not read may take its last words with it.
            let mut client = server.connect()?;
            client.send(&bytes)?;
            let reply = Reply::read(&mut client)
                .with_context(|| format!("{}: {}", subject.kind(), bytes.escape_ascii()))?;
            ensure!(
                reply.to_string() == expected,
                "{}: {reply} to {}",
                subject.kind(),
                bytes.escape_ascii()
            );
            client.read_to_end()?;
        }
        ensure!(server.answers(), "{}", server.log());
    }
    Ok(())
}

/// memcached leaves the extra bytes to be read as packets.
#[test]
fn touch_and_stat_take_no_value() -> Result<()> {
    let touch = packet(TOUCH).key("a").extras(&[0; 4]).value(b"v").bytes();
    closes_after(
        Of::Memtwin,
        &touch,
        &["1c status=4 value=Invalid arguments"],
    )?;
    let stat = packet(STAT).key("settings").value(b"v").bytes();
    closes_after(Of::Memtwin, &stat, &["10 status=4 value=Invalid arguments"])
}

#[test]
fn lengths_that_contradict_each_other_close() -> Result<()> {
    let body = [b'A'; 300];
    for (header, expected) in [
        (
            raw_header(GET, 5, 0, 4),
            "00 status=81 value=Unknown command",
        ),
        (
            raw_header(SET, 5, 8, 12),
            "01 status=81 value=Unknown command",
        ),
        (
            raw_header(PREPENDQ, 0xfa, 0, 0),
            "1a status=81 value=Unknown command",
        ),
        (
            raw_header(0x99, 5, 0, 4),
            "99 status=81 value=Unknown command",
        ),
        (
            raw_header(NOOP, 0, 4, 0),
            "0a status=81 value=Unknown command",
        ),
    ] {
        for subject in subjects(Of::Both)? {
            let server = Server::start(&subject, &[])?;
            let mut client = server.connect()?;
            client.send(&[header.as_slice(), &body].concat())?;
            let reply = Reply::read(&mut client)?.to_string();
            ensure!(reply == expected, "{}: {reply}", subject.kind());
            client.read_to_end()?;
        }
    }
    Ok(())
}

/// memcached 1.6.18 has no such bound yet.
#[test]
fn a_body_over_a_gibibyte_closes() -> Result<()> {
    for body_len in [(1 << 30) + 1, 1 << 31, 0xffff_ffe8, u32::MAX] {
        for opcode in [SET, SETQ, APPEND, GET, 0x77] {
            let extras_len = if opcode == SET || opcode == SETQ {
                8
            } else {
                0
            };
            let bytes = [raw_header(opcode, 1, extras_len, body_len), vec![b'A'; 9]].concat();
            let server = Server::start(&Subject::memtwin()?, &[])?;
            let mut client = server.connect()?;
            client.send(&bytes)?;
            let reply = Reply::read(&mut client)?.to_string();
            ensure!(
                reply == format!("{opcode:02x} status=4 value=Invalid arguments"),
                "{reply}"
            );
            client.read_to_end()?;
        }
    }
    Ok(())
}

#[test]
fn a_wrong_magic_closes_without_a_word() -> Result<()> {
    let mut second = packet(NOOP).bytes();
    second[0] = 0x81;
    let bytes = [packet(NOOP).bytes(), second].concat();
    closes_after(Of::Both, &bytes, &["0a status=0"])?;
    let text = [
        packet(NOOP).bytes(),
        b"get a\r\n1234567890123456789".to_vec(),
    ]
    .concat();
    closes_after(Of::Both, &text, &["0a status=0"])
}

#[test]
fn a_value_too_large_is_swallowed_and_what_a_set_would_replace_goes() -> Result<()> {
    let large = vec![0x80; (1 << 20) + 1];
    let rows = |opcode: u8| {
        let joins = [APPEND, PREPEND, APPENDQ, PREPENDQ].contains(&opcode);
        if joins {
            packet(opcode).key("a").value(&large)
        } else {
            store(opcode, "a", 0, 0, &large)
        }
    };
    let old = "00 status=0 cas extras=00000000 value=old";
    play(
        Of::Both,
        &[
            (store(SET, "a", 0, 0, b"old"), "01 status=0 cas"),
            (rows(ADD), "02 status=3 value=Too large."),
            (rows(REPLACE), "03 status=3 value=Too large."),
            (rows(APPEND), "0e status=3 value=Too large."),
            (rows(PREPENDQ), "1a status=3 value=Too large."),
            (packet(GET).key("a"), old),
            (rows(SET), "01 status=3 value=Too large."),
            (packet(GET).key("a"), "00 status=1 value=Not found"),
            (store(SET, "a", 0, 0, b"old"), "01 status=0 cas"),
            (rows(SETQ), "11 status=3 value=Too large."),
            (packet(GET).key("a"), "00 status=1 value=Not found"),
        ],
    )
}

#[test]
fn an_append_beyond_the_limit_is_not_stored() -> Result<()> {
    let half = vec![b'h'; 600_000];
    play(
        Of::Both,
        &[
            (store(SET, "a", 0, 0, &half), "01 status=0 cas"),
            (
                packet(APPEND).key("a").value(&half),
                "0e status=5 value=Not stored.",
            ),
            (
                packet(PREPENDQ).key("a").value(&half),
                "1a status=5 value=Not stored.",
            ),
        ],
    )
}

#[test]
fn a_full_node_says_so() -> Result<()> {
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &["-M", "-m", "8"])?;
        let mut client = server.connect()?;
        let value = vec![b'v'; 100_000];
        let mut refused = None;
        for index in 0..200 {
            let key = format!("key{index}");
            client.send(&store(SET, &key, 0, 0, &value).bytes())?;
            let reply = Reply::read(&mut client)?;
            if reply.status != 0 {
                refused = Some(reply);
                break;
            }
        }
        let said = refused.map(|reply| reply.to_string());
        let expected = "01 status=82 value=Out of memory allocating item";
        ensure!(
            said.as_deref() == Some(expected),
            "{}: {said:?}",
            subject.kind()
        );
        // What was refused has been swallowed.
        play_on(&mut client, &[], false)?;
        ensure!(subject.kind() != Kind::Memtwin || server.is_running());
    }
    Ok(())
}
