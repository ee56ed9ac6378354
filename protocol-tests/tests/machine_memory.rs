//! The machine gives less memory than `-m`.
//!
//! With `ulimit -v 400000` and `-m 2048` memtwin stored 350 of 6,000 values of 100 KB and refused
//! the others for ever; of a million values of 300 bytes it stored 88,000, and then the process
//! ended. memcached evicts and stores all.

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

/// What either server starts in and has some room for items left.
const ADDRESS_SPACE_KIB: u64 = 400_000;

/// Stores so many values and reads that all were stored.
fn fill(client: &mut Client, count: usize, len: usize) -> Result<()> {
    let value = vec![b'v'; len];
    let at_once = (200_000 / len).clamp(1, 100);
    for first in (0..count).step_by(at_once) {
        let mut requests = Vec::new();
        for index in first..first + at_once {
            requests.extend_from_slice(format!("set k{len}_{index} 0 0 {len}\r\n").as_bytes());
            requests.extend_from_slice(&value);
            requests.extend_from_slice(b"\r\n");
        }
        client.send(&requests)?;
        for index in first..first + at_once {
            let answer = client.read_text_line()?;
            ensure!(answer == "STORED", "{index} of {len} bytes: {answer}");
        }
    }
    let last = format!("k{len}_{}", count - 1);
    ensure!(client.get(&last)?.as_deref() == Some(&value[..]));
    Ok(())
}

#[test]
fn all_is_stored_when_the_machine_has_less_memory_than_the_limit() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let subject = subject.in_address_space(ADDRESS_SPACE_KIB, folder.path())?;
        let server = Server::start(&subject, &["-m", "2048", "-t", "2"])?;
        let mut client = server.connect()?;
        fill(&mut client, 6000, 100_000)?;
        let evictions: u64 = client.stats("stats")?["evictions"].parse()?;
        ensure!(evictions > 1000, "{evictions} evictions");
    }
    for len in [300, 5000] {
        let subject = Subject::memtwin()?.in_address_space(ADDRESS_SPACE_KIB, folder.path())?;
        let server = Server::start(&subject, &["-m", "2048", "-t", "2"])?;
        fill(&mut server.connect()?, 300_000_000 / (len + 300) / 2, len)?;
        server.is_well()?;
    }
    Ok(())
}
