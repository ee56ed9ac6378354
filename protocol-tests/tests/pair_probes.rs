//! Who is no node of memtwin does not hold up a node that starts.
//!
//! Each failed handshake from the partner's host counted as a partner with another key. One `GET /`
//! every two seconds, from a monitor on that host, kept the client port of a starting node closed
//! for ever, and its log blamed the key. So did any other server at the failover address.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use protocol_tests::link::LinkPeer;
use protocol_tests::pair::{Pair, eventually};
use protocol_tests::server::Address;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const PROBE_INTERVAL: Duration = Duration::from_millis(200);
const ALONE_SOON: [&str; 2] = ["--start-alone-after", "1s"];
/// What a node says of a partner that holds another key.
const KEYS_DIFFER: &str = "different keys";

/// One attempt on a replication port.
type Probe = fn(SocketAddr) -> Result<()>;

fn say(address: SocketAddr, words: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PROBE_INTERVAL))?;
    stream.write_all(words)?;
    // Reads the alert, so that closing does not reset the connection.
    let _ = stream.read(&mut [0; 256]);
    Ok(())
}

fn shake_hands(address: SocketAddr, protocols: &[&[u8]]) -> Result<()> {
    let mut peer = LinkPeer::connect(address, None, protocols)?;
    // Hung up on is what it deserves.
    let _ = peer.send(b"x").and_then(|()| peer.read_to_end());
    Ok(())
}

#[test]
fn probes_from_the_partners_host_do_not_keep_a_node_closed() -> Result<()> {
    let probes: [(&str, Probe); 5] = [
        ("HTTP", |address| say(address, b"GET / HTTP/1.0\r\n\r\n")),
        ("garbage", |address| {
            say(address, &[0x16, 3, 1, 0, 9, 7, 7, 7, 7, 7, 7, 7, 7, 7])
        }),
        ("nothing", |address| say(address, b"")),
        ("TLS without ALPN", |address| shake_hands(address, &[])),
        ("HTTP over TLS", |address| {
            shake_hands(address, &[b"h2", b"http/1.1"])
        }),
    ];
    for (name, probe) in probes {
        let mut pair = Pair::prepare(&ALONE_SOON)?;
        let Address::Tcp(address) = pair.link_address(1) else {
            bail!("the link is TCP");
        };
        pair.launch(1)?;
        let node = pair.node(1)?;
        eventually("the replication port is bound", || {
            Ok(TcpStream::connect(address).is_ok())
        })?;
        // Whoever looked whether the port is bound counts, too, once he has gone.
        eventually("the connection is counted", || {
            Ok(node.log().contains("unauthenticated"))
        })?;
        let done = AtomicBool::new(false);
        let opened = thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let _ = probe(address);
                    thread::sleep(PROBE_INTERVAL);
                }
            });
            let opened = pair.wait_until_open(1);
            done.store(true, Ordering::SeqCst);
            opened
        });
        ensure!(opened.is_ok(), "{name} keeps it closed:\n{}", node.log());
        ensure!(!node.log().contains(KEYS_DIFFER), "{name}:\n{}", node.log());
        let strangers: u32 = pair.stat(1, "unauthenticated_links")?.parse()?;
        ensure!(strangers > 1, "{name} is not counted");
    }
    Ok(())
}

/// What answers at the failover address.
#[derive(Clone, Copy)]
struct OtherServer {
    /// The protocols that it speaks over TLS; `None`: it speaks no TLS.
    protocols: Option<&'static [&'static [u8]]>,
    words: &'static [u8],
}

impl OtherServer {
    /// Answers for as long as the test runs.
    fn start(self) -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let tls = self.protocols.map(tls_config).transpose()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = self.answer(stream, tls.clone());
            }
        });
        Ok(address)
    }

    fn answer(self, mut stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let Some(config) = tls else {
            let _ = stream.read(&mut [0; 4096])?;
            return Ok(stream.write_all(self.words)?);
        };
        let session = ServerConnection::new(config)?;
        let mut stream = StreamOwned::new(session, stream);
        let _ = stream.read(&mut [0; 4096])?;
        Ok(stream.write_all(self.words)?)
    }
}

fn tls_config(protocols: &[&[u8]]) -> Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(vec!["memtwin".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(anyhow::Error::msg)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

#[test]
fn another_server_at_the_partners_address_is_no_partner() -> Result<()> {
    let words = b"HTTP/1.0 400 Bad Request\r\n\r\n".as_slice();
    // The goodbye of TLS (close_notify), and more.
    let goodbye = b"\x15\x03\x03\0\x02\x01\0\x16\x03\x03\0\x02\0\0".as_slice();
    let servers: [(&str, Option<&'static [&'static [u8]]>, _); 4] = [
        ("HTTP", None, words),
        ("a goodbye", None, goodbye),
        ("TLS without ALPN", Some(&[]), words),
        ("HTTP over TLS", Some(&[b"h2", b"http/1.1"]), words),
    ];
    for (name, protocols, words) in servers {
        let address = OtherServer { protocols, words }.start()?;
        let mut pair = Pair::prepare(&ALONE_SOON)?;
        pair.set_flag(0, "--failover", &address.to_string())?;
        pair.launch(0)?;
        let node = pair.node(0)?;
        let opened = pair.wait_until_open(0);
        ensure!(opened.is_ok(), "{name} keeps it closed:\n{}", node.log());
        // Some more attempts.
        thread::sleep(Duration::from_secs(1));
        let log = node.log();
        ensure!(!log.contains(KEYS_DIFFER), "{name}:\n{log}");
        let lines = log.matches("another server answers").count();
        let silent = words == goodbye;
        ensure!(lines == 1 || silent, "{name}: {lines} lines say so:\n{log}");
        ensure!(pair.stat(0, "link")? == "down");
    }
    Ok(())
}
