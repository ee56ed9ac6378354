//! What single flags turn off: CAS uniques (`-C`), `flush_all` (`-F`), and a protocol (`-l`).

use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::{Packet, Reply, count, packet, store};
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::{Kind, Subject};

const PATIENCE: Duration = Duration::from_secs(20);

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// Sends lines and expects these answers, line by line.
fn talk(client: &mut Client, who: Kind, lines: &[(&str, &[&str])]) -> Result<()> {
    for (line, answers) in lines {
        client.send_line(line)?;
        for answer in *answers {
            let got = client.read_text_line()?;
            ensure!(
                got == *answer,
                "{who}: {line:?}: {got:?} instead of {answer:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn without_cas_every_unique_is_0_and_no_cas_succeeds() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &["-C"])?;
        let mut client = server.connect()?;
        let lines: &[(&str, &[&str])] = &[
            ("set k 0 0 1\r\n1", &["STORED"]),
            ("gets k", &["VALUE k 0 1 0", "1", "END"]),
            ("gats 0 k", &["VALUE k 0 1 0", "1", "END"]),
            ("cas k 0 0 1 77\r\n2", &["EXISTS"]),
            ("cas k 0 0 1 0\r\n2", &["EXISTS"]),
            ("cas none 0 0 1 7\r\n2", &["NOT_FOUND"]),
            ("incr k 1", &["2"]),
            ("mg k c v", &["VA 1 c0", "2"]),
            ("ms k 1 c C5\r\n5", &["EX c0"]),
            ("ms k 1 c\r\n6", &["HD c0"]),
            ("ma k C5 c v", &["EX"]),
            ("ma k C0 c v", &["VA 1 c0", "7"]),
            ("me k", &["ME k exp=-1 la=0 cas=0 fetch=no cls=1 size=53"]),
            ("md k C5", &["EX"]),
            ("md k C0", &["HD"]),
        ];
        talk(&mut client, subject.kind(), lines)?;
        if subject.kind() != Kind::MemcachedOld {
            let lines: &[(&str, &[&str])] = &[
                ("ms k 1 c E9\r\n6", &["HD c0"]),
                ("gets k", &["VALUE k 0 1 0", "6", "END"]),
            ];
            talk(&mut client, subject.kind(), lines)?;
        }
        // An item takes the 8 bytes less.
        let value = vec![b'x'; 1_048_524];
        ensure!(client.set("k", &value)? == "STORED");
        let larger = [value.as_slice(), b"x"].concat();
        ensure!(client.set("k", &larger)? == "SERVER_ERROR object too large for cache");
        let settings = client.stats("stats settings")?;
        ensure!(settings.get("cas_enabled").map(String::as_str) == Some("no"));
    }
    Ok(())
}

#[test]
fn without_cas_binary_stores_look_at_none_and_the_others_do() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &["-C"])?;
        let mut client = server.connect()?;
        let mut ask = |sent: Packet| -> Result<(u16, u64)> {
            client.send(&sent.bytes())?;
            let reply = Reply::read(&mut client)?;
            Ok((reply.status, reply.cas))
        };
        let who = subject.kind();
        for (what, sent, status) in [
            ("set", store(1, "k", 0, 0, b"1"), 0),
            ("set with a unique", store(1, "k", 0, 0, b"2").cas(99), 0),
            (
                "add with a unique",
                store(2, "other", 0, 0, b"2").cas(99),
                0,
            ),
            (
                "append with a unique",
                packet(0x0e).key("k").value(b"2").cas(99),
                0,
            ),
            ("incr with a unique", count(5, "k", 1, 0, 0).cas(99), 2),
            ("incr", count(5, "k", 1, 0, 0), 0),
            ("delete with a unique", packet(4).key("k").cas(99), 2),
            ("get", packet(0).key("k"), 0),
        ] {
            let got = ask(sent)?;
            ensure!(got == (status, 0), "{who}: {what}: {got:?}");
        }
    }
    Ok(())
}

#[test]
fn flush_all_is_refused_whatever_follows_it() -> Result<()> {
    let refusal: &[&str] = &["CLIENT_ERROR flush_all not allowed"];
    for subject in subjects()? {
        let server = Server::start(&subject, &["-F"])?;
        let mut client = server.connect()?;
        let lines: &[(&str, &[&str])] = &[
            ("set k 0 0 1\r\n1", &["STORED"]),
            ("flush_all", refusal),
            ("flush_all 0", refusal),
            ("flush_all 5", refusal),
            ("flush_all x", refusal),
            ("flush_all noreply", &[]),
            ("flush_all 5 noreply", &[]),
            ("get k", &["VALUE k 0 1", "1", "END"]),
        ];
        talk(&mut client, subject.kind(), lines)?;
        let mut client = server.connect()?;
        for opcode in [0x08, 0x18] {
            client.send(&packet(opcode).bytes())?;
            let reply = Reply::read(&mut client)?;
            ensure!(reply.status == 0x20, "{}: {reply}", subject.kind());
        }
        client.send(&packet(0).key("k").bytes())?;
        ensure!(Reply::read(&mut client)?.status == 0);
        // The six in text count all the same, those in binary do not.
        let stats = server.connect()?.stats("stats")?;
        let counted = stats.get("cmd_flush").map(String::as_str);
        ensure!(counted == Some("6"), "{}: {counted:?}", subject.kind());
    }
    Ok(())
}

/// `proto[...]:` came with 1.6.19.
#[test]
fn an_address_speaks_the_protocol_that_stands_before_it() -> Result<()> {
    let memcached = Subject::memcached()?;
    let can = |subject: &Subject| subject.kind() != Kind::MemcachedOld;
    let subjects = [memcached, Subject::memtwin()?];
    for subject in subjects.iter().filter(|subject| can(subject)) {
        let [any, ascii, binary] = [free_port()?, free_port()?, free_port()?];
        let listen = format!(
            "proto[negotiating]:127.0.0.1:{any},proto[ascii]:127.0.0.1:{ascii};\
             proto[binary]:tag[b]:127.0.0.1:{binary}"
        );
        let server = Server::spawn(subject, &["-l", &listen], Address::Tcp(loopback(any)))?;
        server.wait_until_it_answers(PATIENCE)?;
        let speaks = |port: u16, said: &[u8], begins: &[u8]| -> Result<bool> {
            let mut client = Client::connect(&Address::Tcp(loopback(port)))?;
            client.send(said)?;
            client.finish_sending()?;
            Ok(client.read_to_end()?.starts_with(begins))
        };
        let noop = packet(0x0a).bytes();
        let who = subject.kind();
        for (port, text_too, binary_too) in [
            (any, true, true),
            (ascii, true, false),
            (binary, false, true),
        ] {
            let is_text = speaks(port, b"version\r\n", b"VERSION ")?;
            ensure!(is_text == text_too, "{who}: text at {port}: {is_text}");
            let is_binary = speaks(port, &noop, &[0x81, 0x0a])?;
            ensure!(
                is_binary == binary_too,
                "{who}: binary at {port}: {is_binary}"
            );
        }
    }
    Ok(())
}
