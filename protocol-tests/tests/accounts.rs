//! When all clients have gone, however they went, every account is back where it was.
//!
//! A fault in the account of long lines, which was never given back, was noticed by no test: after
//! enough clients that left in the middle of a line every long line would have been refused, for
//! ever. Whatever a connection takes is looked at here, once for all of it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::opcode::{NOOP, SET, STAT};
use protocol_tests::packets::{packet, store};
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::{Address, Server};
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::tls::Trust;

/// What counts something that is there now, in `stats`.
const ACCOUNTS: [&str; 5] = [
    "curr_connections",
    "log_watchers",
    "curr_items",
    "bytes",
    "lru_crawler_running",
];
/// The same in `stats replication`; a row that a memtwin does not have is passed over.
const MEMORY_ACCOUNTS: [&str; 3] = ["memory_used_bytes", "unfinished_bytes", "tombstones"];
const MEMORY: [&str; 2] = ["-m", "64"];
/// Of everything that a client leaves unfinished, this many.
const CLIENTS_EACH: usize = 3;

/// The accounts, and the open descriptors.
fn accounts(server: &Server, client: &mut Client) -> Result<BTreeMap<&'static str, String>> {
    let mut all = BTreeMap::new();
    let mut note = |names: &[&'static str], stats: &std::collections::HashMap<String, String>| {
        for name in names {
            all.extend(stats.get(*name).map(|value| (*name, value.clone())));
        }
    };
    note(&ACCOUNTS, &client.stats("stats")?);
    if server.kind() == Kind::Memtwin {
        note(&MEMORY_ACCOUNTS, &client.stats("stats replication")?);
        let sockets = client.stats("stats conns")?.len();
        all.insert("lines of stats conns", sockets.to_string());
        let files = process::open_files(server.pid())?;
        all.insert("open files", files.to_string());
    }
    Ok(all)
}

/// Requests that a client has begun and does not finish.
fn unfinished() -> Vec<Vec<u8>> {
    let set = store(SET, "binary", 0, 0, &[b'v'; 200_000]).bytes();
    let huge = store(SET, "binary", 0, 0, &[b'v'; 3_000_000]).bytes();
    vec![
        Vec::new(),
        b"get half a li".to_vec(),
        [b"get ".to_vec(), b"key ".repeat(60_000)].concat(),
        b"set small 0 0 100\r\nhalf".to_vec(),
        [b"set large 0 0 900000\r\n".to_vec(), vec![b'v'; 300_000]].concat(),
        [b"ms large 900000\r\n".to_vec(), vec![b'v'; 300_000]].concat(),
        [b"set huge 0 0 3000000\r\n".to_vec(), vec![b'v'; 300_000]].concat(),
        set[..10].to_vec(),
        set[..40].to_vec(),
        set[..100_000].to_vec(),
        huge[..100_000].to_vec(),
        packet(NOOP).bytes()[..1].to_vec(),
        // Answers that nobody reads.
        b"get shared\r\n".repeat(300),
        packet(STAT).bytes().repeat(2000),
        b"lru_crawler metadump all\r\n".to_vec(),
        b"stats cachedump 1 0\r\n".repeat(300),
        b"watch fetchers mutations evictions connevents deletions\r\n".to_vec(),
    ]
}

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It closes its socket.
    Close,
    /// It says that it sends no more, and waits.
    FinishSending,
    /// Its socket breaks.
    Reset,
}

fn leave(mut client: Client, end: End) -> Result<()> {
    match end {
        End::Close => drop(client),
        End::Reset => client.reset()?,
        End::FinishSending => {
            client.finish_sending()?;
            client.read_to_end()?;
        }
    }
    Ok(())
}

/// A server with some items, and what its accounts are with one client.
fn prepared(server: &Server) -> Result<(Client, BTreeMap<&'static str, String>)> {
    let mut asker = server.connect()?;
    ensure!(asker.set("shared", &vec![b'v'; 500_000])? == "STORED");
    for nth in 0..2000 {
        ensure!(asker.set(&format!("k{nth}"), b"value")? == "STORED");
    }
    // Those that have waited for the server's start go, and what it reads at its first request.
    let mut before = accounts(server, &mut asker)?;
    eventually("nobody else is there", || {
        before = accounts(server, &mut asker)?;
        Ok(before["curr_connections"] == "1")
    })?;
    Ok((asker, before))
}

fn wait_until_all_is_back(
    server: &Server,
    asker: &mut Client,
    before: &BTreeMap<&'static str, String>,
) -> Result<()> {
    let mut now = BTreeMap::new();
    let waited = eventually("every account is where it was", || {
        now = accounts(server, asker)?;
        Ok(now == *before)
    });
    waited.with_context(|| format!("{}: {now:?} instead of {before:?}", server.kind()))
}

fn come_and_go(server: &Server, end: End, can_watch: bool) -> Result<()> {
    let (mut asker, before) = prepared(server)?;
    let mut clients = Vec::new();
    for bytes in unfinished() {
        if !can_watch && bytes.starts_with(b"watch") {
            continue;
        }
        for _ in 0..CLIENTS_EACH {
            let mut client = server.connect()?;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                // Who does not read is not read from any more, either.
                let sent = client.send_some(rest, std::time::Duration::from_millis(100))?;
                if sent == 0 {
                    break;
                }
                rest = &rest[sent..];
            }
            clients.push(client);
        }
    }
    let count = clients.len();
    eventually("all are there", || {
        let now = accounts(server, &mut asker)?;
        let open: usize = now["curr_connections"].parse()?;
        let watchers: usize = now["log_watchers"].parse()?;
        let grows = |account| match now.get(account) {
            Some(bytes) => anyhow::Ok(bytes.parse::<u64>()? > before[account].parse()?),
            None => Ok(true),
        };
        let uses_memory = grows("memory_used_bytes")? && grows("unfinished_bytes")?;
        let watch = !can_watch || watchers == CLIENTS_EACH;
        Ok(open > count && watch && uses_memory)
    })?;
    for client in clients {
        leave(client, end)?;
    }
    wait_until_all_is_back(server, &mut asker, &before)
}

#[test]
fn every_account_is_back_when_all_clients_have_closed() -> Result<()> {
    come_and_go(
        &Server::start(&Subject::memtwin()?, &MEMORY)?,
        End::Close,
        true,
    )
}

#[test]
fn every_account_is_back_when_all_connections_are_reset() -> Result<()> {
    come_and_go(
        &Server::start(&Subject::memtwin()?, &MEMORY)?,
        End::Reset,
        true,
    )
}

/// memcached sees that a watcher is gone when it has something to tell it.
#[test]
fn memcached_has_its_accounts_back() -> Result<()> {
    let server = Server::start(
        &Subject::memcached()?,
        &["-m", "64", "-o", "no_lru_maintainer"],
    )?;
    let (mut asker, before) = prepared(&server)?;
    let mut clients = Vec::new();
    for bytes in [
        &b"get half"[..],
        b"set large 0 0 900000\r\nvvv",
        b"set huge 0 0 3000000\r\nv",
    ] {
        for end in [End::Close, End::Reset] {
            let mut client = server.connect()?;
            client.send(bytes)?;
            clients.push((client, end));
        }
    }
    for (client, end) in clients {
        leave(client, end)?;
    }
    wait_until_all_is_back(&server, &mut asker, &before)
}

#[test]
fn every_account_is_back_when_clients_of_tls_have_gone() -> Result<()> {
    let trust = Trust::new()?;
    for end in [End::Close, End::FinishSending, End::Reset] {
        let server = trust.start(&Subject::memtwin()?, &["-m", "64", "-t", "1"])?;
        come_and_go(&server, end, true)?;
        // In the middle of the handshake, and with what is none.
        let (mut asker, before) = prepared(&server)?;
        let hello = [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            &[7; 100],
        ]
        .concat();
        let mut clients = Vec::new();
        for bytes in [&b""[..], b"\x16", &hello] {
            for _ in 0..CLIENTS_EACH {
                let mut client = server.connect_openly()?;
                client.send(bytes)?;
                clients.push(client);
            }
        }
        let count = clients.len();
        eventually("all are there", || {
            let open: usize = accounts(&server, &mut asker)?["curr_connections"].parse()?;
            Ok(open > count)
        })?;
        for client in clients {
            leave(client, end)?;
        }
        wait_until_all_is_back(&server, &mut asker, &before)?;
    }
    Ok(())
}

/// A client of which the process is killed, in the middle of this.
fn killed_client(server: &Server, words: &str) -> Result<Child> {
    let Address::Tcp(address) = server.address() else {
        bail!("no port");
    };
    let (host, port) = (address.ip(), address.port());
    let script = format!("exec 3<>/dev/tcp/{host}/{port}; printf '{words}' >&3; exec sleep 1000");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).stdin(Stdio::null());
    Ok(command.spawn()?)
}

#[test]
fn every_account_is_back_when_client_processes_are_killed() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &MEMORY)?;
    let (mut asker, before) = prepared(&server)?;
    let mut children = Vec::new();
    for words in [
        "set large 0 0 900000\\r\\nv",
        "get half",
        "watch\\r\\n",
        "get shared\\r\\n",
    ] {
        children.push(killed_client(&server, words)?);
    }
    let all_are_there = eventually("all are there", || {
        let now = accounts(&server, &mut asker)?;
        let open: usize = now["curr_connections"].parse()?;
        Ok(open > children.len() && now["log_watchers"] == "1")
    });
    for child in &mut children {
        child.kill()?;
        child.wait()?;
    }
    all_are_there?;
    wait_until_all_is_back(&server, &mut asker, &before)
}

/// What shows in no statistic shows in what is refused: clients leave more unfinished, one after
/// the other, than all of them together may hold.
#[test]
fn what_was_left_unfinished_is_held_against_nobody() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let server = Server::start(&subject, &["-m", "64", "-t", "2"])?;
        let line = [b"get ".to_vec(), b"key ".repeat(100_000)].concat();
        let value = [b"set large 0 0 1000000\r\n".to_vec(), vec![b'v'; 20_000]].concat();
        let mut asker = server.connect()?;
        for nth in 0..40 {
            for bytes in [&line, &value] {
                let mut client = server.connect()?;
                client.send(bytes)?;
                leave(client, if nth % 2 == 0 { End::Close } else { End::Reset })?;
            }
            eventually("they have gone", || {
                let open = &asker.stats("stats")?["curr_connections"];
                Ok(open.parse::<u32>()? <= 2)
            })?;
        }
        let mut clients = [server.connect()?, server.connect()?];
        for client in &mut clients {
            client.send(&line)?;
        }
        for client in &mut clients {
            client.send(b"\r\n")?;
            ensure!(client.read_text_line()? == "END", "{}", subject.kind());
            let stored = client.set("large", &vec![b'v'; 1_000_000])?;
            ensure!(stored == "STORED", "{}: {stored}", subject.kind());
        }
        let refused = &clients[0].stats("stats")?["read_buf_oom"];
        ensure!(refused == "0", "{}: {refused} refused", subject.kind());
    }
    Ok(())
}
