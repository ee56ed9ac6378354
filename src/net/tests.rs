//! A panic in one client's request must not harm the other clients of its worker.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Listeners, Server};
use crate::config::Config;
use crate::node::{Node, ReplicationStats};
use crate::store::{Store, StoreConfig};

/// A running server whose `stats replication` panics, and its address.
struct Faulty {
    node: Arc<Node>,
    server: Server,
    gate: watch::Sender<bool>,
    address: String,
}

impl Faulty {
    fn start() -> Self {
        let mut config = Config::default();
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
    let faulty = Faulty::start();
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
    let counters = &faulty.node.counters;
    for _ in 0..500 {
        if counters.curr_connections.get() == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(counters.curr_connections.get(), 1);
    drop(other_client);
    faulty.stop();
}
