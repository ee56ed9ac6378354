//! `stats conns`, and the end of connections that are idle.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::opcode::*;
use protocol_tests::packets::{Reply, packet, store};
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::{Address, Server};
use protocol_tests::subject::{Kind, Subject};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// The sockets of `stats conns`, each with its fields.
fn shown(client: &mut Client) -> Result<Vec<HashMap<String, String>>> {
    let mut all: HashMap<u32, HashMap<String, String>> = HashMap::new();
    for (key, value) in client.stats("stats conns")? {
        let (fd, name) = key.split_once(':').context("no descriptor")?;
        all.entry(fd.parse()?)
            .or_default()
            .insert(name.to_owned(), value);
    }
    Ok(all.into_values().collect())
}

fn count(all: &[HashMap<String, String>], name: &str, value: &str) -> usize {
    all.iter()
        .filter(|it| it.get(name).is_some_and(|it| it == value))
        .count()
}

/// Waits until so many sockets are in each of these states.
fn wait_for_states(client: &mut Client, kind: Kind, wanted: &[(&str, usize)]) -> Result<()> {
    eventually(&format!("{kind} shows {wanted:?}"), || {
        let all = shown(client)?;
        Ok(wanted
            .iter()
            .all(|(state, number)| count(&all, "state", state) == *number))
    })
}

#[test]
fn every_connection_is_shown_with_what_it_does() -> Result<()> {
    for subject in subjects()? {
        let kind = subject.kind();
        let server = Server::start(&subject, &[])?;
        let mut asker = server.connect()?;
        let _new = server.connect()?;
        let mut done = server.connect()?;
        done.expect("get nothing", "END")?;
        let mut inside = server.connect()?;
        inside.send(b"set small 0 0 10\r\nab")?;
        let mut inside_large = server.connect()?;
        inside_large.send(b"set large 0 0 100000\r\nab")?;
        let mut refused = server.connect()?;
        refused.send(b"set huge 0 0 3000000\r\nab")?;
        let mut binary = server.connect()?;
        binary.send(&store(SET, "key", 0, 0, b"value").bytes()[..38])?;
        let mut deaf = server.connect()?;
        ensure!(deaf.set("value", &[b'v'; 500_000])? == "STORED");
        deaf.send(&b"get value\r\n".repeat(30))?;
        let mut watcher = server.connect()?;
        watcher.expect("watch", "OK")?;
        let wanted = [
            ("conn_listening", 1),
            ("conn_new_cmd", 1),
            ("conn_read", 1),
            ("conn_parse_cmd", 1),
            ("conn_nread", 3),
            ("conn_swallow", 1),
            ("conn_mwrite", 1),
            ("conn_watch", 1),
        ];
        wait_for_states(&mut asker, kind, &wanted)?;
        let all = shown(&mut asker)?;
        let Address::Tcp(address) = server.address() else {
            anyhow::bail!("no TCP");
        };
        let here = format!("tcp:{address}");
        ensure!(count(&all, "listen_addr", &here) == 9, "{kind}: {all:?}");
        ensure!(count(&all, "addr", &here) == 1, "{kind}: {all:?}");
        for socket in &all {
            let secs = &socket["secs_since_last_cmd"];
            ensure!(secs.parse::<u64>()? < 60, "{kind}: {secs}");
            ensure!(socket["addr"].starts_with("tcp:127.0.0.1:"), "{socket:?}");
        }
    }
    Ok(())
}

/// A client of a unix socket with a long path of its own once overran a buffer of memcached
/// (CVE-2019-15026).
#[test]
fn long_paths_of_unix_sockets_are_shown() -> Result<()> {
    for subject in subjects()? {
        let kind = subject.kind();
        let server = Server::start_on_unix_socket(&subject, &[])?;
        let Address::Unix(path) = server.address() else {
            anyhow::bail!("no unix socket");
        };
        let folder = tempfile::tempdir()?;
        let longest = 107 - folder.path().as_os_str().len() - 1;
        let own_path = folder.path().join("c".repeat(longest));
        let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        net::bind(&socket, &SocketAddrUnix::new(own_path)?)?;
        net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        let mut named = UnixStream::from(socket);
        named.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut asker = server.connect()?;
        let here = format!("unix:{}", path.display());
        let mut all = Vec::new();
        // The connections of the start may still be on their way out.
        eventually(&format!("{kind} shows two clients"), || {
            all = shown(&mut asker)?;
            let is_here = count(&all, "listen_addr", &here) == 2;
            Ok(is_here && count(&all, "addr", "?:<AF 0>") == 2)
        })?;
        if kind == Kind::Memtwin {
            // memcached cuts it off after 26 bytes.
            ensure!(count(&all, "addr", &here) == 1, "{all:?}");
        }
        std::io::Write::write_all(&mut named, b"version\r\n")?;
        let mut answer = [0; 8];
        named.read_exact(&mut answer)?;
        ensure!(&answer == b"VERSION ", "{kind}");
        server.is_well()?;
    }
    Ok(())
}

#[test]
fn many_connections_are_shown_and_forgotten() -> Result<()> {
    process::allow_open_files(4096)?;
    for subject in subjects()? {
        let kind = subject.kind();
        let server = Server::start(&subject, &["-c", "1000"])?;
        let mut asker = server.connect()?;
        let mut clients = Vec::new();
        for _ in 0..700 {
            clients.push(server.connect()?);
        }
        for client in &mut clients {
            client.expect("get nothing", "END")?;
        }
        wait_for_states(&mut asker, kind, &[("conn_read", 700)])?;
        drop(clients);
        wait_for_states(&mut asker, kind, &[("conn_read", 0), ("conn_parse_cmd", 1)])?;
        ensure!(shown(&mut asker)?.len() == 2, "{kind}");
    }
    Ok(())
}

#[test]
fn connections_are_shown_in_text_only() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        client.send(&packet(STAT).key("conns").bytes())?;
        let reply = Reply::read(&mut client)?.to_string();
        ensure!(
            reply.starts_with("10 status=1"),
            "{}: {reply}",
            subject.kind()
        );
    }
    Ok(())
}

/// Only who waits for a request is idle, and only on TCP.
#[test]
fn idle_connections_are_ended_and_told() -> Result<()> {
    for subject in subjects()? {
        let kind = subject.kind();
        let server = Server::start(&subject, &["-o", "idle_timeout=1"])?;
        let mut asker = server.connect()?;
        ensure!(asker.stats("stats")?["idle_kicks"] == "0", "{kind}");
        let mut idle = server.connect()?;
        idle.expect("get nothing", "END")?;
        let mut silent = server.connect()?;
        let mut inside = server.connect()?;
        inside.send(b"set k 0 0 5\r\nab")?;
        let mut watcher = server.connect()?;
        watcher.expect("watch connevents", "OK")?;
        // What the asker does all the time keeps it.
        let mut kicks = 0;
        eventually("both idle clients are ended", || {
            kicks = asker.stats("stats")?["idle_kicks"].parse::<u64>()?;
            Ok(kicks >= 2)
        })?;
        ensure!(kicks == 2, "{kind}: {kicks}");
        ensure!(idle.read_to_end()?.is_empty(), "{kind}");
        ensure!(silent.read_to_end()?.is_empty(), "{kind}");
        for _ in 0..2 {
            // The connection that waited for the server's start may be told to leave only now.
            let line = loop {
                let line = watcher.read_text_line()?;
                if line.contains("type=conn_close") && !line.contains(" reason=normal ") {
                    break line;
                }
            };
            ensure!(line.contains(" reason=idle_timeout "), "{kind}: {line}");
        }
        inside.send(b"cde\r\n")?;
        ensure!(inside.read_text_line()? == "STORED", "{kind}");
    }
    Ok(())
}

#[test]
fn clients_of_a_unix_socket_may_be_idle() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start_on_unix_socket(&subject, &["-o", "idle_timeout=1"])?;
        let mut client = server.connect()?;
        client.expect("get nothing", "END")?;
        std::thread::sleep(Duration::from_secs(4));
        client.expect("get nothing", "END")?;
        ensure!(client.stats("stats")?["idle_kicks"] == "0");
    }
    Ok(())
}

#[test]
fn without_a_timeout_there_is_no_count_of_it() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &[])?;
        let stats = server.connect()?.stats("stats")?;
        ensure!(!stats.contains_key("idle_kicks"), "{}", subject.kind());
    }
    Ok(())
}

/// With `-R 1` each of six requests but the last is a turn that ends with requests left.
#[test]
fn turns_that_end_early_are_counted() -> Result<()> {
    for subject in subjects()? {
        let kind = subject.kind();
        let server = Server::start(&subject, &["-R", "1"])?;
        let mut client = server.connect()?;
        client.send(&b"set k 0 0 5\r\nvalue\r\n".repeat(6))?;
        for _ in 0..6 {
            ensure!(client.read_text_line()? == "STORED");
        }
        let yields: u64 = client.stats("stats")?["conn_yields"].parse()?;
        ensure!((5..=7).contains(&yields), "{kind}: {yields}");
    }
    Ok(())
}
