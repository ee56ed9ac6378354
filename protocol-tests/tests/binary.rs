//! The commands of the binary protocol: what a real memcached answers, and memtwin the same.
//!
//! Each case has a connection of its own to a server of its own, and is played packet by packet and
//! in one write. Where memcached is wrong, or says nothing memtwin could follow, the case says so
//! and is for memtwin alone.

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::opcode::*;
use protocol_tests::packets::table::{Of, play, subjects};
use protocol_tests::packets::{Packet, Reply, count, packet, store};
use protocol_tests::server::Server;

/// An `incr` with this expiry time makes no new number.
const NO_CREATION: u32 = u32::MAX;
/// An absolute time in 1970.
const LONG_AGO: u32 = 2_592_001;

#[test]
fn opaque_comes_back_and_every_get_has_its_form() -> Result<()> {
    play(
        Of::Both,
        &[
            (
                packet(GET).key("a").opaque(7),
                "00 status=1 opaque=7 value=Not found",
            ),
            (
                packet(GETK).key("a").opaque(8),
                "0c status=1 opaque=8 key=a",
            ),
            (packet(GETQ).key("a"), ""),
            (packet(GETKQ).key("a"), ""),
            (
                store(SET, "a", 0xcafe_babe, 0, b"one").opaque(9),
                "01 status=0 opaque=9 cas",
            ),
            (
                packet(GET).key("a").opaque(10),
                "00 status=0 opaque=a cas extras=cafebabe value=one",
            ),
            (
                packet(GETK).key("a"),
                "0c status=0 cas extras=cafebabe key=a value=one",
            ),
            (
                packet(GETQ).key("a"),
                "09 status=0 cas extras=cafebabe value=one",
            ),
            (
                packet(GETKQ).key("a"),
                "0d status=0 cas extras=cafebabe key=a value=one",
            ),
            (store(SET, "empty", 0, 0, b""), "01 status=0 cas"),
            (packet(GET).key("empty"), "00 status=0 cas extras=00000000"),
            (
                store(SET, "k\0\r\n \u{7f}", 1, 0, b"\r\n\0"),
                "01 status=0 cas",
            ),
            (
                packet(GETK).key("k\0\r\n \u{7f}"),
                "0c status=0 cas extras=00000001 key=k\\x00\\r\\n \\x7f value=\\r\\n\\x00",
            ),
        ],
    )
}

#[test]
fn touch_and_its_kin() -> Result<()> {
    let long = 1000u32.to_be_bytes();
    let over = LONG_AGO.to_be_bytes();
    play(
        Of::Both,
        &[
            (
                packet(TOUCH).key("a").extras(&long),
                "1c status=1 value=Not found",
            ),
            (
                packet(GAT).key("a").extras(&long),
                "1d status=1 value=Not found",
            ),
            (packet(GATK).key("a").extras(&long), "23 status=1 key=a"),
            (packet(GATQ).key("a").extras(&long), ""),
            (packet(GATKQ).key("a").extras(&long), ""),
            (store(SET, "a", 5, 0, b"v"), "01 status=0 cas"),
            (
                packet(TOUCH).key("a").extras(&long),
                "1c status=0 cas extras=00000005",
            ),
            (
                packet(GAT).key("a").extras(&long),
                "1d status=0 cas extras=00000005 value=v",
            ),
            (
                packet(GATQ).key("a").extras(&long),
                "1e status=0 cas extras=00000005 value=v",
            ),
            (
                packet(GATK).key("a").extras(&long),
                "23 status=0 cas extras=00000005 key=a value=v",
            ),
            (
                packet(GATKQ).key("a").extras(&long),
                "24 status=0 cas extras=00000005 key=a value=v",
            ),
            (
                packet(GAT).key("a").extras(&over),
                "1d status=0 cas extras=00000005 value=v",
            ),
            (packet(GET).key("a"), "00 status=1 value=Not found"),
        ],
    )
}

#[test]
fn storage_commands_have_their_conditions() -> Result<()> {
    play(
        Of::Both,
        &[
            (
                store(REPLACE, "a", 0, 0, b"x"),
                "03 status=1 value=Not found",
            ),
            (
                store(REPLACEQ, "a", 0, 0, b"x"),
                "13 status=1 value=Not found",
            ),
            (
                packet(APPEND).key("a").value(b"x"),
                "0e status=5 value=Not stored.",
            ),
            (
                packet(PREPENDQ).key("a").value(b"x"),
                "1a status=5 value=Not stored.",
            ),
            (store(ADD, "a", 3, 0, b"b"), "02 status=0 cas"),
            (
                store(ADD, "a", 0, 0, b"x"),
                "02 status=2 value=Data exists for key.",
            ),
            (
                store(ADDQ, "a", 0, 0, b"x"),
                "12 status=2 value=Data exists for key.",
            ),
            (packet(APPEND).key("a").value(b"c"), "0e status=0 cas"),
            (packet(PREPEND).key("a").value(b"a"), "0f status=0 cas"),
            (packet(APPENDQ).key("a").value(b"d"), ""),
            (packet(PREPENDQ).key("a").value(b"_"), ""),
            (packet(APPEND).key("a"), "0e status=0 cas"),
            (
                packet(GET).key("a"),
                "00 status=0 cas extras=00000003 value=_abcd",
            ),
            (store(REPLACE, "a", 4, 0, b"r"), "03 status=0 cas"),
            (store(REPLACEQ, "a", 6, 0, b"rq"), ""),
            (
                packet(GET).key("a"),
                "00 status=0 cas extras=00000006 value=rq",
            ),
            (store(SETQ, "a", 0, 0, b"sq"), ""),
            (store(ADDQ, "new", 0, 0, b"aq"), ""),
            (
                packet(GETQ).key("new"),
                "09 status=0 cas extras=00000000 value=aq",
            ),
        ],
    )
}

#[test]
fn deletion_and_flush() -> Result<()> {
    play(
        Of::Both,
        &[
            (packet(DELETE).key("a"), "04 status=1 value=Not found"),
            (packet(DELETEQ).key("a"), "14 status=1 value=Not found"),
            (store(SET, "a", 0, 0, b"1"), "01 status=0 cas"),
            (store(SET, "b", 0, 0, b"1"), "01 status=0 cas"),
            (packet(DELETE).key("a"), "04 status=0"),
            (packet(DELETEQ).key("b"), ""),
            (packet(GET).key("a"), "00 status=1 value=Not found"),
            (packet(GET).key("b"), "00 status=1 value=Not found"),
            (store(SET, "a", 0, 0, b"1"), "01 status=0 cas"),
            (packet(FLUSH).extras(&1000u32.to_be_bytes()), "08 status=0"),
            (
                packet(GET).key("a"),
                "00 status=0 cas extras=00000000 value=1",
            ),
            (packet(FLUSH), "08 status=0"),
            (packet(GET).key("a"), "00 status=1 value=Not found"),
            (packet(FLUSHQ), ""),
            (packet(FLUSHQ).extras(&0u32.to_be_bytes()), ""),
        ],
    )
}

#[test]
fn numbers() -> Result<()> {
    play(
        Of::Both,
        &[
            (
                count(INCR, "n", 1, 5, NO_CREATION),
                "05 status=1 value=Not found",
            ),
            (
                count(DECRQ, "n", 1, 5, NO_CREATION),
                "16 status=1 value=Not found",
            ),
            (
                count(INCR, "n", 1, 5, 0),
                "05 status=0 cas value=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x05",
            ),
            (
                count(INCR, "n", 10, 99, NO_CREATION),
                "05 status=0 cas value=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x0f",
            ),
            (
                count(DECR, "n", 3, 99, 0),
                "06 status=0 cas value=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x0c",
            ),
            (
                packet(GET).key("n"),
                "00 status=0 cas extras=00000000 value=12",
            ),
            (
                count(DECR, "n", 100, 99, 0),
                "06 status=0 cas value=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
            ),
            (count(INCRQ, "n", 7, 0, 0), ""),
            (count(DECRQ, "n", 2, 0, 0), ""),
            (
                count(INCR, "n", u64::MAX, 0, 0),
                "05 status=0 cas value=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x04",
            ),
            (count(INCRQ, "made", 7, 8, 0), ""),
            (
                packet(GET).key("made"),
                "00 status=0 cas extras=00000000 value=8",
            ),
            (
                count(DECR, "huge", 1, u64::MAX, 0),
                "06 status=0 cas value=\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff",
            ),
            (
                packet(GET).key("huge"),
                "00 status=0 cas extras=00000000 value=18446744073709551615",
            ),
            (store(SET, "text", 0, 0, b"x"), "01 status=0 cas"),
            (
                count(INCR, "text", 1, 0, 0),
                "05 status=6 value=Non-numeric server-side value for incr or decr",
            ),
            (
                count(DECRQ, "text", 1, 0, 0),
                "16 status=6 value=Non-numeric server-side value for incr or decr",
            ),
        ],
    )
}

#[test]
fn expiry_times_are_unsigned() -> Result<()> {
    play(
        Of::Both,
        &[
            // Not -1, which would have passed, but the year 2106.
            (store(SET, "far", 0, u32::MAX, b"v"), "01 status=0 cas"),
            (
                packet(GET).key("far"),
                "00 status=0 cas extras=00000000 value=v",
            ),
            (
                packet(TOUCH).key("far").extras(&u32::MAX.to_be_bytes()),
                "1c status=0 cas extras=00000000",
            ),
            (
                packet(GET).key("far"),
                "00 status=0 cas extras=00000000 value=v",
            ),
            (store(SETQ, "over", 0, LONG_AGO, b"v"), ""),
            (packet(GET).key("over"), "00 status=1 value=Not found"),
            (
                count(INCR, "over", 1, 5, NO_CREATION),
                "05 status=1 value=Not found",
            ),
        ],
    )
}

#[test]
fn a_version_in_the_header_must_be_there() -> Result<()> {
    for subject in subjects(Of::Both)? {
        versions_hold_on(&Server::start(&subject, &[])?)?;
    }
    Ok(())
}

/// Sends a packet, compares the reply, and gives its CAS unique.
fn says(server: &Server, client: &mut Client, packet: Packet, expected: &str) -> Result<u64> {
    client.send(&packet.bytes())?;
    let got = Reply::read(client)?;
    ensure!(
        got.to_string() == expected,
        "{}: {got}, not {expected}",
        server.kind()
    );
    Ok(got.cas)
}

fn versions_hold_on(server: &Server) -> Result<()> {
    let mut client = server.connect()?;
    let mut says = |packet: Packet, expected: &str| says(server, &mut client, packet, expected);
    for opcode in [SET, ADD, REPLACE] {
        let said = format!("{opcode:02x} status=1 value=Not found");
        says(store(opcode, "a", 0, 0, b"x").cas(77), &said)?;
    }
    says(
        packet(DELETE).key("a").cas(77),
        "04 status=1 value=Not found",
    )?;
    let first = says(store(SET, "a", 0, 0, b"1"), "01 status=0 cas")?;
    let exists = |opcode| format!("{opcode:02x} status=2 value=Data exists for key.");
    for opcode in [SET, ADD, REPLACE] {
        says(
            store(opcode, "a", 0, 0, b"x").cas(first + 77),
            &exists(opcode),
        )?;
    }
    for opcode in [APPEND, PREPEND] {
        says(
            packet(opcode).key("a").value(b"x").cas(first + 77),
            &exists(opcode),
        )?;
    }
    says(
        count(INCR, "a", 1, 0, 0).cas(first + 77),
        "05 status=2 value=Data exists for key.",
    )?;
    // Of an empty value it is said first that it is no number.
    let empty = says(store(SET, "empty", 0, 0, b""), "01 status=0 cas")?;
    says(
        count(INCR, "empty", 1, 0, 0).cas(empty + 77),
        "05 status=6 value=Non-numeric server-side value for incr or decr",
    )?;
    says(
        packet(DELETE).key("a").cas(first + 77),
        "04 status=2 value=Data exists for key.",
    )?;
    says(
        packet(DELETEQ).key("a").cas(first + 77),
        "14 status=2 value=Data exists for key.",
    )?;
    let seen = says(
        packet(GET).key("a"),
        "00 status=0 cas extras=00000000 value=1",
    )?;
    ensure!(
        seen == first,
        "a get shows another version than the set answered"
    );
    versions_move_on(server, first)
}

/// Each success has a new version, and it is the one that counts.
fn versions_move_on(server: &Server, first: u64) -> Result<()> {
    let mut client = server.connect()?;
    let mut says = |packet: Packet, expected: &str| says(server, &mut client, packet, expected);
    let counted = "05 status=0 cas value=\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02";
    let second = says(count(INCR, "a", 1, 0, 0).cas(first), counted)?;
    let third = says(
        packet(APPEND).key("a").value(b"0").cas(second),
        "0e status=0 cas",
    )?;
    let fourth = says(store(ADD, "a", 0, 0, b"add").cas(third), "02 status=0 cas")?;
    let fifth = says(
        store(REPLACE, "a", 0, 0, b"rep").cas(fourth),
        "03 status=0 cas",
    )?;
    let all = [first, second, third, fourth, fifth];
    ensure!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
    let touched = packet(TOUCH).key("a").extras(&[0, 0, 3, 0]);
    let same = says(touched, "1c status=0 cas extras=00000000")?;
    ensure!(same == fifth, "a touch changes no version");
    says(packet(DELETE).key("a").cas(fifth), "04 status=0")?;
    Ok(())
}

#[test]
fn commands_without_a_key() -> Result<()> {
    play(
        Of::Both,
        &[
            (packet(NOOP).opaque(1), "0a status=0 opaque=1"),
            (packet(VERBOSITY), "1b status=81 value=Unknown command"),
        ],
    )?;
    for subject in subjects(Of::Both)? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        client.send(&packet(VERSION).bytes())?;
        let reply = Reply::read(&mut client)?;
        ensure!(
            reply.status == 0 && reply.value.starts_with(b"1.6."),
            "{reply}"
        );
    }
    Ok(())
}
