//! Input no client should send: a clear answer or a closed connection, bounded memory, never a
//! crash, never an effect on other clients.
//!
//! CVE numbers name the memcached bug an input once set off.

use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::attacks;
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

const MIB: u64 = 1 << 20;
/// Long enough for an answer that would come, short enough to ask many times.
const GLANCE: Duration = Duration::from_millis(50);

fn start(flags: &[&str]) -> Result<Server> {
    Server::start(&Subject::memtwin()?, flags)
}

fn is_well(server: &Server) -> Result<()> {
    server.is_well()
}

/// Sends `bytes` on a connection of its own and does not care what comes back.
fn throw(server: &Server, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut client = server.connect()?;
    // Closed while we write is an answer too.
    let _ = client.send(bytes);
    client.read_within(GLANCE)
}

fn grown_bytes(server: &Server, before: u64) -> Result<u64> {
    Ok(server.resident_bytes()?.saturating_sub(before))
}

#[test]
fn known_attacks_on_the_text_protocol_are_answered() -> Result<()> {
    let server = start(&["-vv"])?;
    let attacks = attacks::on_classic_commands().into_iter();
    for (bug, input, answer) in attacks.chain(attacks::on_meta_commands()) {
        let got = throw(&server, input.as_bytes())?;
        ensure!(
            got.starts_with(answer.as_bytes()),
            "{bug}: {}",
            got.escape_ascii()
        );
        is_well(&server)?;
    }
    Ok(())
}

#[test]
fn random_bytes_do_no_harm() -> Result<()> {
    let server = start(&[])?;
    let mut rng = fastrand::Rng::with_seed(7);
    let words: [&[u8]; 18] = [
        b"get ",
        b"mg ",
        b"ms ",
        b"ma ",
        b"md ",
        b" b k v N1 T1 O1",
        b" 5 T-1 MA I\r\n",
        b"set ",
        b" 0 0 ",
        b"\r\n",
        b"\n",
        b" noreply",
        b"cas ",
        b"stats ",
        b"\0",
        b"flush_all ",
        b"-1",
        b"99999999999999999999",
    ];
    let mut kept = Vec::new();
    for round in 0..400 {
        let mut bytes = Vec::new();
        for _ in 0..rng.usize(1..200) {
            match rng.u32(0..3) {
                0 => bytes.extend_from_slice(words[rng.usize(0..words.len())]),
                1 => bytes.push(rng.u8(..)),
                _ => bytes.extend((0..rng.usize(0..300)).map(|_| rng.u8(..))),
            }
        }
        let mut client = server.connect()?;
        // Closed while we write is an answer too.
        let _ = client.send(&bytes);
        if round % 2 == 0 {
            kept.push(client);
        }
    }
    is_well(&server)
}

/// CVE-2010-1152: `cat /dev/zero | nc`.
#[test]
fn a_line_without_end_takes_no_memory() -> Result<()> {
    let server = start(&[])?;
    let before = server.resident_bytes()?;
    for start in ["", "set ", "get ", "gets a ", "incr ", "   get "] {
        let mut client = server.connect()?;
        let mut sent = client.send(start.as_bytes()).is_ok();
        let piece = vec![b'k'; MIB as usize];
        let mut pieces = 0;
        while sent && pieces < 64 {
            sent = client
                .send_some(&piece, GLANCE)
                .is_ok_and(|bytes| bytes > 0);
            pieces += 1;
        }
        let grown = grown_bytes(&server, before)?;
        ensure!(
            grown < 16 * MIB,
            "{start:?}: {grown} bytes more after {pieces} MiB"
        );
        is_well(&server)?;
    }
    Ok(())
}

/// Long lines that would hold more than half of memory are read as others end. All were answered by
/// closing the connection but for the first one or two.
#[test]
fn unfinished_lines_wait_for_memory() -> Result<()> {
    let server = start(&["-m", "16"])?;
    let line = [b"get ".as_slice(), &b"k ".repeat(450_000)].concat();
    let mut crowd = Vec::new();
    for _ in 0..8 {
        let mut client = server.connect()?;
        client.send(&line)?;
        crowd.push(client);
    }
    is_well(&server)?;
    for client in &mut crowd {
        client.send(b"\r\n")?;
        client.read_until(b"END\r\n")?;
    }
    ensure!(server.connect()?.stats("stats")?["read_buf_oom"] == "0");
    is_well(&server)
}

#[test]
fn a_mebibyte_of_keys_with_one_too_long_is_one_error() -> Result<()> {
    let server = start(&[])?;
    let mut client = server.connect()?;
    ensure!(client.set("hit", &[b'v'; 1000])? == "STORED");
    let mut line = b"get".to_vec();
    while line.len() < (1 << 20) - 600 {
        line.extend_from_slice(b" hit");
    }
    let bad = [b" ", "x".repeat(251).as_bytes(), b" hit\r\n"].concat();
    client.send(&line)?;
    client.send(&bad)?;
    client.send(b"version\r\n")?;
    let answer = client.read_until(b"VERSION ")?;
    ensure!(
        answer.starts_with(b"CLIENT_ERROR bad command line format\r\n") && answer.len() < 60,
        "{} bytes: {}",
        answer.len(),
        answer[..answer.len().min(100)].escape_ascii()
    );
    is_well(&server)
}

#[test]
fn the_longest_get_line_is_answered_whole() -> Result<()> {
    let server = start(&[])?;
    let mut client = server.connect()?;
    ensure!(client.set("hit", b"v")? == "STORED");
    let count = ((1 << 20) - 100) / 4;
    let line = ["get".as_bytes(), &b" hit".repeat(count), b"\r\n"].concat();
    let answer_bytes = count * "VALUE hit 0 1\r\nv\r\n".len() + "END\r\n".len();
    let mut answer = client.send_while_receiving(&line)?;
    answer.extend(client.read_exactly(answer_bytes - answer.len())?);
    ensure!(answer.ends_with(b"v\r\nEND\r\n"), "the answer ends wrongly");
    is_well(&server)
}

#[test]
fn half_sent_requests_leave_nothing_behind() -> Result<()> {
    process::allow_open_files(4096)?;
    let server = start(&[])?;
    let whole = b"set half 0 0 5000\r\n";
    let files = process::open_files(server.pid())?;
    let mut kept = Vec::new();
    for round in 0..400 {
        let mut client = server.connect()?;
        let mut bytes = whole[..1 + round % whole.len()].to_vec();
        if round % 3 == 0 {
            bytes = [whole.as_slice(), &vec![b'x'; round * 12]].concat();
        }
        client.send(&bytes)?;
        kept.push(client);
    }
    is_well(&server)?;
    kept.truncate(200);
    is_well(&server)?;
    ensure!(
        server.connect()?.get("half")?.is_none(),
        "half a value was stored"
    );
    drop(kept);
    eventually("every connection is closed", || {
        Ok(process::open_files(server.pid())? <= files + 2)
    })?;
    is_well(&server)
}

#[test]
fn thousands_of_idle_connections_cost_little() -> Result<()> {
    process::allow_open_files(8192)?;
    let server = start(&["-c", "4096"])?;
    let before = server.resident_bytes()?;
    let mut idle: Vec<Client> = Vec::new();
    for index in 0..3000 {
        let mut client = server.connect()?;
        if index % 2 == 0 {
            ensure!(client.ask("get nothing")? == "END");
        }
        idle.push(client);
    }
    is_well(&server)?;
    let grown = grown_bytes(&server, before)?;
    // A connection owns no buffer while it is idle. Stock memcached keeps about the same.
    ensure!(
        grown < 3000 * 6 * 1024,
        "{grown} bytes more with 3000 idle connections"
    );
    for client in idle.iter_mut().step_by(100) {
        ensure!(client.ask("get nothing")? == "END");
    }
    Ok(())
}

#[test]
fn a_reader_that_does_not_read_is_bounded() -> Result<()> {
    let server = start(&[])?;
    ensure!(server.connect()?.set("large", &vec![b'v'; 1_000_000])? == "STORED");
    let before = server.resident_bytes()?;
    let mut slow = Vec::new();
    let requests = b"get large\r\n".repeat(2000);
    for _ in 0..10 {
        let mut client = server.connect()?;
        client.send_some(&requests, GLANCE)?;
        slow.push(client);
    }
    is_well(&server)?;
    let grown = grown_bytes(&server, before)?;
    ensure!(grown < 64 * MIB, "{grown} bytes more for ten slow readers");
    // They are only waiting: whoever reads gets everything in order.
    let reader = &mut slow[0];
    for _ in 0..5 {
        ensure!(reader.read_text_line()? == "VALUE large 0 1000000");
        reader.read_exactly(1_000_002)?;
        ensure!(reader.read_text_line()? == "END");
    }
    Ok(())
}

/// CVE-2018-1000127: more than 65535 references to one item overflowed its count.
#[test]
fn one_key_asked_for_100000_times_by_slow_readers_survives() -> Result<()> {
    let server = start(&[])?;
    ensure!(server.connect()?.set("large", &vec![b'v'; 20_000])? == "STORED");
    let before = server.resident_bytes()?;
    let line = ["get".as_bytes(), &b" large".repeat(100_000), b"\r\n"].concat();
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut client = server.connect()?;
        client.send_some(&line, GLANCE)?;
        slow.push(client);
    }
    ensure!(server.connect()?.set("large", b"new")? == "STORED");
    is_well(&server)?;
    let grown = grown_bytes(&server, before)?;
    ensure!(grown < 64 * MIB, "{grown} bytes more");
    drop(slow);
    is_well(&server)?;
    ensure!(server.connect()?.get("large")?.as_deref() == Some(b"new".as_slice()));
    Ok(())
}

/// A half-read value stays what it was although others replace and delete it.
#[test]
fn a_reader_keeps_the_value_it_began_to_read() -> Result<()> {
    let server = start(&[])?;
    let old = vec![b'o'; 1_000_000];
    ensure!(server.connect()?.set("large", &old)? == "STORED");
    let mut reader = server.connect()?;
    reader.send(b"get large large large\r\n")?;
    ensure!(reader.read_text_line()? == "VALUE large 0 1000000");
    let mut other = server.connect()?;
    ensure!(other.ask("delete large")? == "DELETED");
    for _ in 0..70 {
        ensure!(other.set("large", &vec![b'n'; 1_000_000])? == "STORED");
    }
    let value = reader.read_exactly(1_000_000)?;
    ensure!(value == old, "the value changed while it was read");
    is_well(&server)
}

/// CVE-2019-15026.
#[test]
fn stats_conns_over_a_unix_socket_does_no_harm() -> Result<()> {
    let server = Server::start_on_unix_socket(&Subject::memtwin()?, &[])?;
    throw(&server, b"stats conns\r\n")?;
    is_well(&server)
}

#[test]
fn clients_that_hang_up_at_any_moment_do_no_harm() -> Result<()> {
    let server = start(&[])?;
    ensure!(server.connect()?.set("large", &vec![b'v'; 1_000_000])? == "STORED");
    let script = b"get large large large\r\nset a 0 0 10\r\n0123456789\r\nget a\r\ngets large\r\n";
    for cut in (1..script.len()).step_by(3) {
        let mut client = server.connect()?;
        client.send(&script[..cut])?;
        drop(client);
    }
    is_well(&server)
}
