//! What a watcher is told of each command, word for word.

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::watching::{field, next, watcher};

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// The next line, in which the descriptor of the client must be `cfd`.
fn next_of(watcher: &mut Client, cfd: &str) -> Result<String> {
    let line = next(watcher)?;
    if line.contains(" cfd=") {
        ensure!(field(&line, "cfd")? == cfd, "not of {cfd}: {line}");
    }
    Ok(line.replace(&format!(" cfd={cfd}"), ""))
}

/// A client's descriptor, as `stats conns` shows it: of the only one who asks, once the connections
/// that waited for the server's start are gone.
fn descriptor(client: &mut Client) -> Result<String> {
    let mut descriptor = String::new();
    eventually("one client alone asks", || {
        let shown = client.stats("stats conns")?;
        let mut askers = shown.iter().filter(|(_, value)| *value == "conn_parse_cmd");
        let (key, _) = askers.next().context("nobody asks")?;
        descriptor = key.trim_end_matches(":state").to_owned();
        Ok(askers.next().is_none())
    })?;
    Ok(descriptor)
}

/// Requests, and what a watcher of everything is told of them.
const TOLD: &[(&str, &[&str])] = &[
    (
        "get a\r\n",
        &["type=item_get key=a status=not_found clsid=0 size=0"],
    ),
    (
        "set a 5 100 3\r\nabc\r\n",
        &[
            "type=item_get key=a status=not_found clsid=0 size=0",
            "type=item_store key=a status=stored cmd=set ttl=100 clsid=1 size=3",
        ],
    ),
    (
        "get a nothing a\r\n",
        &[
            "type=item_get key=a status=found clsid=1 size=3",
            "type=item_get key=nothing status=not_found clsid=0 size=0",
            "type=item_get key=a status=found clsid=1 size=3",
        ],
    ),
    (
        "set b 0 0 1\r\n1\r\nappend b 0 0 2\r\n00\r\n",
        &[
            "type=item_get key=b status=not_found clsid=0 size=0",
            "type=item_store key=b status=stored cmd=set ttl=0 clsid=1 size=1",
            "type=item_get key=b status=found clsid=1 size=1",
            "type=item_store key=b status=stored cmd=append ttl=0 clsid=1 size=3",
        ],
    ),
    (
        "prepend nothing 0 0 2\r\nxx\r\n",
        &[
            "type=item_get key=nothing status=not_found clsid=0 size=0",
            "type=item_store key=nothing status=not_stored cmd=prepend ttl=0 clsid=1 size=2",
        ],
    ),
    (
        "add a 0 0 1\r\n1\r\n",
        &[
            "type=item_get key=a status=found clsid=1 size=3",
            "type=item_store key=a status=not_stored cmd=add ttl=0 clsid=1 size=1",
        ],
    ),
    (
        "cas a 0 0 1 99\r\n1\r\n",
        &[
            "type=item_get key=a status=found clsid=1 size=3",
            "type=item_store key=a status=exists cmd=cas ttl=0 clsid=1 size=1",
        ],
    ),
    (
        "cas nothing 0 0 1 99\r\n1\r\n",
        &[
            "type=item_get key=nothing status=not_found clsid=0 size=0",
            "type=item_store key=nothing status=not_found cmd=cas ttl=0 clsid=1 size=1",
        ],
    ),
    (
        "touch a 50\r\n",
        &["type=item_get key=a status=found clsid=1 size=3"],
    ),
    (
        "gat 60 a\r\n",
        &["type=item_get key=a status=found clsid=1 size=3"],
    ),
    (
        "incr b 900\r\n",
        &["type=item_get key=b status=found clsid=1 size=3"],
    ),
    (
        "decr b 1\r\n",
        &["type=item_get key=b status=found clsid=1 size=4"],
    ),
    (
        "mg b v\r\n",
        &["type=item_get key=b status=found clsid=1 size=4"],
    ),
    (
        "mg new N30\r\n",
        &["type=item_get key=new status=not_found clsid=0 size=0"],
    ),
    (
        "ms m 2 T30\r\nab\r\n",
        &[
            "type=item_get key=m status=not_found clsid=0 size=0",
            "type=item_store key=m status=stored cmd=set ttl=30 clsid=1 size=2",
        ],
    ),
    (
        "ms b 2 MA\r\n00\r\n",
        &[
            "type=item_get key=b status=found clsid=1 size=4",
            "type=item_store key=b status=stored cmd=append ttl=0 clsid=1 size=6",
        ],
    ),
    (
        "md m I\r\n",
        &["type=item_get key=m status=found clsid=1 size=2"],
    ),
    (
        "mg m\r\n",
        &["type=item_get key=m status=found clsid=1 size=2"],
    ),
    (
        "me m\r\n",
        &["type=item_get key=m status=found clsid=1 size=2"],
    ),
    (
        "set \u{1}%-._~/ 0 0 1\r\nx\r\n",
        &[
            "type=item_get key=%01%25-._~%2F status=not_found clsid=0 size=0",
            "type=item_store key=%01%25-._~%2F status=stored cmd=set ttl=0 clsid=1 size=1",
        ],
    ),
    (
        "delete a\r\n",
        &[
            "type=item_get key=a status=found clsid=1 size=3",
            "type=deleted key=a cmd=delete clsid=1 size=3",
        ],
    ),
    (
        "delete a\r\n",
        &["type=item_get key=a status=not_found clsid=0 size=0"],
    ),
    (
        "md b\r\n",
        &[
            "type=item_get key=b status=found clsid=1 size=6",
            "type=deleted key=b cmd=md clsid=1 size=6",
        ],
    ),
];

/// memcached 1.6.18 knows no `deletions`.
fn everything(kind: Kind) -> &'static str {
    match kind {
        Kind::MemcachedOld => "fetchers mutations",
        _ => "fetchers mutations deletions",
    }
}

#[test]
fn commands_are_told_in_memcacheds_words() -> Result<()> {
    for subject in subjects()? {
        let kind = subject.kind();
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        let cfd = descriptor(&mut client)?;
        let mut watcher = watcher(&server, everything(kind))?;
        for (requests, told) in TOLD {
            client.send(requests.as_bytes())?;
            let told = told
                .iter()
                .filter(|line| !line.starts_with("type=deleted") || kind != Kind::MemcachedOld);
            for line in told {
                let got = next_of(&mut watcher, &cfd)?;
                ensure!(
                    got == *line,
                    "{kind}, {requests:?}: {got} instead of {line}"
                );
            }
        }
    }
    Ok(())
}

/// Its time is set only after memcached has told it; it was told with it here.
#[test]
fn a_number_that_begins_is_told_without_its_time() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &[])?;
        let mut client = server.connect()?;
        let cfd = descriptor(&mut client)?;
        let mut watcher = watcher(&server, "mutations")?;
        client.send(b"ma m N5\r\n")?;
        let told = next_of(&mut watcher, &cfd)?;
        let line = "type=item_store key=m status=stored cmd=add ttl=0 clsid=1 size=1";
        ensure!(told == line, "{}: {told}", subject.kind());
    }
    Ok(())
}
