//! Hostile peers on the replication port of a running pair: no certificate, a stranger's
//! certificate, garbage, giant lengths, handshakes that never end. The pair keeps replicating,
//! its memory stays bounded, and its clients notice nothing.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::link::{ALPN, LinkPeer};
use protocol_tests::pair::{Pair, eventually};
use protocol_tests::process;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::Subject;

const MIB: u64 = 1 << 20;
const GLANCE: Duration = Duration::from_millis(50);
/// The listening side: the one a hostile peer can reach.
const LISTENER: usize = 1;

fn start() -> Result<Pair> {
    Pair::start(&["--start-alone-after", "never"])
}

/// Writes travel both ways, both nodes run and have not panicked.
fn replicates(pair: &Pair, mark: &str) -> Result<()> {
    for (here, there) in [(0, 1), (1, 0)] {
        let value = format!("{mark} from {here}");
        ensure!(pair.client(here)?.set("probe", value.as_bytes())? == "STORED");
        pair.wait_for_value(there, "probe", Some(value.as_bytes()))?;
        let log = pair.node(here)?.log();
        ensure!(!log.contains("panicked"), "a panic on side {here}:\n{log}");
    }
    Ok(())
}

/// The link has neither been replaced nor lost.
fn link_ups(pair: &Pair) -> Result<String> {
    pair.stat(LISTENER, "link_ups")
}

#[test]
fn plain_garbage_is_hung_up_on() -> Result<()> {
    let pair = start()?;
    let ups = link_ups(&pair)?;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut inputs: Vec<Vec<u8>> = vec![
        b"get a\r\nset a 0 0 1\r\nx\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        // a handshake record that announces the most a record can hold, and one beyond
        [&[0x16, 3, 1, 0x40, 0][..], &[0; 1000]].concat(),
        [&[0x16, 3, 1, 0xff, 0xff][..], &[0; 1000]].concat(),
        // a handshake message of 16 MiB
        [&[0x16, 3, 1, 0, 0x20, 1, 0xff, 0xff, 0xff][..], &[0; 100]].concat(),
        vec![0xff; 100_000],
        vec![0; 100_000],
    ];
    for _ in 0..40 {
        inputs.push((0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect());
    }
    for input in &inputs {
        let mut peer = Client::connect(&pair.link_address(LISTENER))?;
        // Hung up on while writing is what it deserves.
        let _ = peer.send(input);
        peer.read_within(Duration::from_millis(2))?;
    }
    replicates(&pair, "garbage")?;
    ensure!(link_ups(&pair)? == ups, "garbage has cost the link");
    Ok(())
}

#[test]
fn half_open_handshakes_are_bounded_and_do_not_keep_the_partner_out() -> Result<()> {
    process::allow_open_files(4096)?;
    let pair = start()?;
    let node = pair.node(LISTENER)?;
    let files = process::open_files(node.pid())?;
    let before = node.resident_bytes()?;
    let mut idle = Vec::new();
    for index in 0..300 {
        // Beyond the bound a connection may be refused at once.
        if let Ok(mut peer) = Client::connect(&pair.link_address(LISTENER)) {
            if index % 2 == 0 {
                let _ = peer.send(&[0x16, 3, 1, 2, 0, 1]);
            }
            idle.push(peer);
        }
    }
    replicates(&pair, "half open")?;
    let held = process::open_files(node.pid())?;
    ensure!(held < files + 100, "{held} descriptors, {files} before");
    let grown = node.resident_bytes()?.saturating_sub(before);
    ensure!(grown < 16 * MIB, "{grown} bytes more");
    // The real partner comes back in spite of them.
    pair.link().cut();
    pair.wait_for_stat(0, "link", "down")?;
    pair.link().heal();
    pair.wait_for_stat(0, "link", "up")?;
    pair.wait_for_stat(LISTENER, "link", "up")?;
    replicates(&pair, "half open again")?;
    eventually("half-open handshakes are given up", || {
        Ok(process::open_files(node.pid())? <= files + 2)
    })
}

#[test]
fn a_peer_without_a_certificate_is_refused() -> Result<()> {
    let pair = start()?;
    let ups = link_ups(&pair)?;
    let Address::Tcp(address) = pair.link_address(LISTENER) else {
        anyhow::bail!("the link is TCP");
    };
    for frames in [
        vec![],
        vec![0; 64],
        // whatever the length field looks like, this is a giant one
        vec![0xff; 70_000],
    ] {
        let mut peer = LinkPeer::connect(address, None, &[ALPN])?;
        match peer.send(&frames).and_then(|()| peer.read_to_end()) {
            Ok(count) => ensure!(count == 0, "it was told {count} bytes"),
            Err(error) => ensure!(
                !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "it was neither refused nor hung up on"
            ),
        }
    }
    replicates(&pair, "no certificate")?;
    ensure!(link_ups(&pair)? == ups, "a stranger has cost the link");
    Ok(())
}

#[test]
fn a_node_with_a_strangers_key_is_refused() -> Result<()> {
    let pair = start()?;
    let ups = link_ups(&pair)?;
    ensure!(pair.client(0)?.set("secret", b"for the pair only")? == "STORED");
    let Address::Tcp(target) = pair.link_address(LISTENER) else {
        anyhow::bail!("the link is TCP");
    };
    let (port, link_port) = (free_port()?, free_port()?);
    let key = pair.strangers_key()?.to_string_lossy().into_owned();
    let flags = format!(
        "-l 127.0.0.1 -p {port} --node-id n1 --side 0 --replication-listen {} --failover {target} \
         --msm-nodes n1,n2 --start-alone-after 1s --key-file {key}",
        loopback(link_port)
    );
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let stranger = Server::spawn(&Subject::memtwin()?, &flags, Address::Tcp(loopback(port)))?;
    // It tries again and again; meanwhile the pair works.
    for round in 0..20 {
        replicates(&pair, &format!("stranger {round}"))?;
        std::thread::sleep(GLANCE);
    }
    ensure!(link_ups(&pair)? == ups, "the stranger has cost the link");
    if let Ok(mut client) = stranger.connect() {
        ensure!(
            client.get("secret")?.is_none(),
            "the stranger was given the pair's data"
        );
    }
    Ok(())
}
