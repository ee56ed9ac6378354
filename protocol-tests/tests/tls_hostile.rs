//! Who does not speak TLS where it is spoken, or never finishes the handshake.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::{Address, Server};
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::tls::Trust;
use protocol_tests::watching::{field, next, watcher};

/// The beginning of a client's first message: a record of 512 bytes, of which five are here.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03";
/// A record that cannot be.
const NO_RECORD: &[u8] = b"\x17\x03\x03\xff\xff\0\0\0\0\0\0\0\0\0\0\0";

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// A connection below TLS.
fn raw(server: &Server) -> Result<TcpStream> {
    let (Address::Tcp(address) | Address::Tls(address, _)) = server.address() else {
        bail!("no port");
    };
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Failures of TLS, at the handshake or later: which of the two memcached counts depends on when
/// it looks.
fn failures(client: &mut Client) -> Result<u64> {
    let stats = client.stats("stats")?;
    let mut sum = 0;
    for key in ["ssl_handshake_errors", "ssl_proto_errors"] {
        sum += stats.get(key).map_or(Ok(0), |count| count.parse::<u64>())?;
    }
    Ok(sum)
}

/// Reads what the server says before it closes; a reset is a close.
fn last_words(stream: &mut TcpStream) -> Vec<u8> {
    let mut words = Vec::new();
    let _ = stream.read_to_end(&mut words);
    words
}

#[test]
fn who_does_not_speak_tls_is_let_go_and_counted() -> Result<()> {
    let trust = Trust::new()?;
    for subject in subjects()? {
        let server = trust.start(&subject, &["-t", "1"])?;
        let mut client = server.connect()?;
        for (index, words) in [
            b"get key\r\n".as_slice(),
            b"\x80\x0a\0\0\0\0\0\0\0\0\0\0abcd\0\0\0\0\0\0\0\0",
            b"GET / HTTP/1.1\r\nHost: cache\r\n\r\n",
            &[0xff; 100],
            NO_RECORD,
            // A client's first message with an id longer than itself.
            b"\x16\x03\x01\x00\x28\x01\x00\x00\x24\x03\x0301234567890123456789012345678901\xff\x00",
        ]
        .into_iter()
        .enumerate()
        {
            let mut stream = raw(&server)?;
            stream.write_all(words)?;
            let answer = last_words(&mut stream);
            // An alert, if anything; never an answer.
            ensure!(
                answer.is_empty() || answer[0] == 0x15,
                "{}: {answer:?} to {words:?}",
                subject.kind()
            );
            // 1.6.18 counts only what it sees at once.
            if subject.kind() != Kind::MemcachedOld {
                let wanted = index as u64 + 1;
                let counted = failures(&mut client)?;
                ensure!(
                    counted == wanted,
                    "{}: {counted} of {wanted}",
                    subject.kind()
                );
            }
        }
        server.is_well()?;
    }
    Ok(())
}

/// memcached tells it too, in OpenSSL's words.
#[test]
fn who_fails_at_tls_is_told_to_watchers() -> Result<()> {
    let trust = Trust::new()?;
    for subject in subjects()? {
        if subject.kind() == Kind::MemcachedOld {
            continue;
        }
        let server = trust.start(&subject, &["-t", "1"])?;
        let mut watcher = watcher(&server, "connevents")?;
        let kind = subject.kind();
        // At the handshake, and after it.
        raw(&server)?.write_all(b"get key\r\n")?;
        next_failure(&mut watcher).with_context(|| format!("{kind}, at the handshake"))?;
        let below = raw(&server)?;
        let mut session = trust.client.shake_hands(below.try_clone()?)?;
        session.write_all(b"version\r\n")?;
        session.read_exact(&mut [0; 7])?;
        (&below).write_all(NO_RECORD)?;
        next_failure(&mut watcher).with_context(|| format!("{kind}, after it"))?;
    }
    Ok(())
}

/// Reads on until somebody's TLS has failed.
fn next_failure(watcher: &mut Client) -> Result<()> {
    for _ in 0..20 {
        let line = next(watcher)?;
        if field(&line, "type")? == "conntlserr" {
            ensure!(field(&line, "fd")?.parse::<u32>()? > 2, "{line}");
            ensure!(line.split_once(" msg=").is_some_and(|it| !it.1.is_empty()));
            return Ok(());
        }
    }
    bail!("nothing told of it")
}

#[test]
fn rubbish_after_the_handshake_ends_one_connection() -> Result<()> {
    let trust = Trust::new()?;
    let server = trust.start(&Subject::memtwin()?, &["-t", "1"])?;
    let mut client = server.connect()?;
    for rubbish in [b"get key\r\nget key\r\n".as_slice(), NO_RECORD, &[0; 64]] {
        let mut stream = raw(&server)?;
        let stream_below = stream.try_clone()?;
        let mut session = trust.client.shake_hands(stream_below)?;
        session.write_all(b"set stays 0 0 2\r\nok\r\n")?;
        let mut answer = [0; 8];
        session.read_exact(&mut answer)?;
        ensure!(&answer == b"STORED\r\n");
        stream.write_all(rubbish)?;
        last_words(&mut stream);
    }
    let stats = client.stats("stats")?;
    let count = stats.get("ssl_proto_errors").map(String::as_str);
    ensure!(count == Some("3"), "{count:?}");
    ensure!(client.get("stays")?.is_some());
    server.is_well()
}

#[test]
fn tls_where_none_is_spoken_harms_nobody() -> Result<()> {
    let trust = Trust::new()?;
    for subject in subjects()? {
        let server = Server::start(&subject, &[])?;
        let stream = raw(&server)?;
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        ensure!(trust.client.shake_hands(stream).is_err());
        // Nothing of it is left.
        let mut client = server.connect()?;
        eventually("the stranger is gone", || {
            let open = client.stats("stats")?.remove("curr_connections");
            Ok(open.is_some_and(|open| open == "1" || open == "2"))
        })?;
        server.is_well()?;
    }
    Ok(())
}

#[test]
fn a_thousand_half_open_handshakes_keep_nobody_out() -> Result<()> {
    process::allow_open_files(8192)?;
    let trust = Trust::new()?;
    let server = trust.start(&Subject::memtwin()?, &["-t", "1", "-c", "4000"])?;
    let mut client = server.connect()?;
    let before = server.resident_bytes()?;
    let mut half_open = Vec::new();
    for index in 0..1000 {
        let mut stream = raw(&server)?;
        if index % 2 == 0 {
            stream.write_all(HALF_A_HELLO)?;
        }
        half_open.push(stream);
    }
    server.is_well()?;
    let more = server.resident_bytes()?.saturating_sub(before);
    ensure!(more < 32 << 20, "{more} bytes for half-open handshakes");
    ensure!(failures(&mut client)? == 0, "they have time yet");
    // Beyond the limit the oldest make room, the newest is served.
    for _ in 0..200 {
        half_open.push(raw(&server)?);
    }
    server.is_well()?;
    let early = failures(&mut client)?;
    ensure!((170..=200).contains(&early), "{early} have made room");
    // The others have had time enough in the end.
    client.set_patience(Duration::from_secs(30));
    for mut stream in half_open {
        last_words(&mut stream);
    }
    eventually("all are counted", || Ok(failures(&mut client)? == 1200))?;
    let open = client.stats("stats")?.remove("curr_connections");
    ensure!(
        open.as_deref() == Some("1"),
        "{open:?} connections are left"
    );
    server.is_well()
}

/// A first message that never ends, in records of 16 KiB.
#[test]
fn an_endless_handshake_takes_no_memory() -> Result<()> {
    let trust = Trust::new()?;
    let server = trust.start(&Subject::memtwin()?, &["-t", "1"])?;
    let mut client = server.connect()?;
    let mut record = b"\x16\x03\x01\x40\x00".to_vec();
    record.extend_from_slice(b"\x01\x00\xff\x00");
    record.resize(5 + 16_384, 0);
    for count in 1..=20 {
        let mut stream = raw(&server)?;
        // It may be closed before all is sent.
        let _ = stream.write_all(&record);
        let _ = stream.write_all(&record);
        last_words(&mut stream);
        ensure!(failures(&mut client)? == count);
    }
    server.is_well()
}
