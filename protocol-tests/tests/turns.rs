//! Requests whose work no reply shows, in pipelines: others are served in between.
//!
//! A kilobyte of `append`s to an item of 20 MB was one turn of five seconds, and 300 times `stats
//! items` one of a third; a client of the same worker waited that long for a `get`. memcached ends
//! a turn after 20 requests.

use anyhow::{Result, ensure};
use protocol_tests::packets::opcode::{APPENDQ, NOOP};
use protocol_tests::packets::packet;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

const REQUESTS: usize = 200;
/// 20 requests a turn: memcached's default.
const YIELDS_MIN: u64 = REQUESTS as u64 / 20 - 1;

/// How many turns ended with requests left while a client had this answered, of which the last
/// bytes are `last`.
fn yields(server: &Server, bytes: &[u8], last: &[u8]) -> Result<u64> {
    let count = || -> Result<u64> {
        let stats = server.connect()?.stats("stats")?;
        Ok(stats["conn_yields"].parse()?)
    };
    let before = count()?;
    let mut client = server.connect()?;
    client.send(bytes)?;
    client.read_until(last)?;
    Ok(count()? - before)
}

#[test]
fn copies_of_a_large_item_are_many_turns() -> Result<()> {
    let large = vec![b'v'; 2_000_000];
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let server = Server::start(&subject, &["-m", "256", "-I", "4m"])?;
        server.connect()?.set("big", &large)?;
        for request in [
            "append big 0 0 1 noreply\r\nx\r\n",
            "prepend big 0 0 1 noreply\r\nx\r\n",
            "ms big 1 MA q\r\nx\r\n",
            "md big I q\r\n",
        ] {
            let bytes = [request.repeat(REQUESTS), "mn\r\n".to_owned()].concat();
            let yields = yields(&server, bytes.as_bytes(), b"MN\r\n")?;
            ensure!(
                yields >= YIELDS_MIN,
                "{}: {yields}: {request}",
                subject.kind()
            );
        }
        let append = packet(APPENDQ).key("big").value(b"x").bytes();
        let noop = packet(NOOP).bytes();
        let bytes = [append.repeat(REQUESTS), noop].concat();
        let binary = yields(&server, &bytes, &[0x81, NOOP])?;
        ensure!(binary >= YIELDS_MIN, "{}: {binary}", subject.kind());
        let len = large.len() + 4 * REQUESTS;
        server
            .connect()?
            .expect("mg big s", &format!("HD s{len}"))?;
    }
    Ok(())
}

#[test]
fn statistics_of_items_are_many_turns() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let server = Server::start(&subject, &[])?;
        let bytes = ["stats items\r\n".repeat(REQUESTS), "mn\r\n".to_owned()].concat();
        let yields = yields(&server, bytes.as_bytes(), b"MN\r\n")?;
        ensure!(yields >= YIELDS_MIN, "{}: {yields}", subject.kind());
    }
    Ok(())
}

/// `-R` could have been ignored without any test noticing.
#[test]
fn as_many_requests_are_a_turn_as_was_asked_for() -> Result<()> {
    let bytes = ["get none\r\n".repeat(REQUESTS), "mn\r\n".to_owned()].concat();
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let server = Server::start(&subject, &["-R", "5"])?;
        let yields = yields(&server, bytes.as_bytes(), b"MN\r\n")?;
        let expected = REQUESTS as u64 / 5;
        let is_near = (expected - 1..=expected + 1).contains(&yields);
        ensure!(
            is_near,
            "{}: {yields} instead of {expected}",
            subject.kind()
        );
    }
    Ok(())
}
