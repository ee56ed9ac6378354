//! A panic in one client's request must not harm the other clients of its worker; and the client
//! port closes and opens as the gate says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Listeners, Server};
use crate::config::Config;
use crate::node::{Node, ReplicationStats};
use crate::store::{Store, StoreConfig};

/// A running server whose `stats replication` panics, and its address.
struct TestServer {
    node: Arc<Node>,
    server: Server,
    gate: watch::Sender<bool>,
    address: String,
}

impl TestServer {
    fn start() -> Self {
        Self::start_with(Config::default())
    }

    fn start_with(mut config: Config) -> Self {
        config.client.threads = 1;
        config.client.addresses = vec![vec!["127.0.0.1:0".parse().unwrap()]];
        let store = Arc::new(Store::new(&StoreConfig::of_a_test()));
        let stats = ReplicationStats(Box::new(|_| panic!("as the test wants it")));
        let listeners = Listeners::bind(&config).unwrap();
        let address = listeners.addresses()[0].clone();
        let node = Arc::new(Node::new(config, store, None, stats));
        let (gate, open) = watch::channel(true);
        let server = Server::start(&node, listeners, open).unwrap();
        Self {
            node,
            server,
            gate,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(&self.address) {
                let patience = Some(Duration::from_secs(20));
                stream.set_read_timeout(patience).unwrap();
                return stream;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the port does not open");
    }

    fn wait_for_connections(&self, count: u64) {
        let counters = &self.node.counters;
        for _ in 0..500 {
            if counters.curr_connections.get() == count {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never {count} connections");
    }

    fn stop(self) {
        drop(self.gate);
        self.server.stop().unwrap();
    }
}

fn ask(stream: &mut TcpStream, words: &str, answer: &str) {
    stream.write_all(words.as_bytes()).unwrap();
    let mut got = vec![0; answer.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), answer);
}

#[test]
fn a_panic_ends_its_connection_and_no_other() {
    let faulty = TestServer::start();
    let mut other_client = faulty.connect();
    ask(&mut other_client, "set k 0 0 3\r\nabc\r\n", "STORED\r\n");
    for _ in 0..20 {
        // The turn that panics has changed an item, and its replies must not reach anybody.
        let mut victim = faulty.connect();
        let words = b"set v 0 0 1\r\n1\r\nget k\r\nstats replication\r\nget k\r\n";
        victim.write_all(words).unwrap();
        let mut rest = Vec::new();
        // The connection is closed or reset without a reply.
        let _ = victim.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        ask(
            &mut other_client,
            "get v\r\n",
            "VALUE v 0 1\r\n1\r\nEND\r\n",
        );
        ask(&mut other_client, "delete v\r\n", "DELETED\r\n");
    }
    // The connection slots are free again.
    faulty.wait_for_connections(1);
    drop(other_client);
    faulty.stop();
}

/// A node that loses its partner before it has the partner's table must not answer misses: its
/// clients are disconnected and refused until it serves again.
#[test]
fn a_closed_gate_disconnects_clients_and_refuses_new_ones_until_it_opens() {
    let server = TestServer::start();
    for round in 0..3 {
        let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for client in &mut clients {
            ask(client, "set k 0 0 3\r\nabc\r\n", "STORED\r\n");
        }
        server.gate.send_replace(false);
        for mut client in clients {
            assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0, "round {round}");
        }
        server.wait_for_connections(0);
        assert!(TcpStream::connect(&server.address).is_err());
        server.gate.send_replace(true);
    }
    let mut client = server.connect();
    ask(&mut client, "get k\r\n", "VALUE k 0 3\r\nabc\r\nEND\r\n");
    let mut conns = Vec::new();
    server.node.registry.print(0, &mut conns);
    let conns = String::from_utf8(conns).unwrap();
    assert_eq!(conns.matches("conn_listening").count(), 1, "{conns}");
    server.stop();
}

#[test]
fn a_closed_gate_hangs_up_on_clients_of_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let mut config = Config::default();
    config.client.socket = Some(path.clone());
    let server = TestServer::start_with(config);
    for _ in 0..3 {
        let mut client = answered_at(&path);
        server.gate.send_replace(false);
        assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0);
        server.wait_for_connections(0);
        let mut refused = UnixStream::connect(&path).unwrap();
        assert_eq!(refused.read(&mut [0; 8]).unwrap_or(0), 0);
        server.gate.send_replace(true);
    }
    server.stop();
}

/// A client of the unix socket, once it is answered.
fn answered_at(path: &Path) -> UnixStream {
    for _ in 0..500 {
        if let Ok(mut client) = UnixStream::connect(path)
            && client.write_all(b"version\r\n").is_ok()
            && client.read(&mut [0; 64]).is_ok_and(|count| count > 0)
        {
            return client;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the socket does not answer");
}
