//! Two nodes of a pair in one process: real stores, links, encryption and sockets.

mod replacement;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::config::{Address, Mode};
use crate::limits::ACK_TIMEOUT_MS;
use crate::replication::change_queue::{ChangeSender, change_queue};
use crate::replication::key::{PairKey, generate};
use crate::store::{Action, ItemHead, NEVER, OpContext, StoreConfig};

/// Polls that a wait may take, 10 ms apart.
const POLLS_MAX: usize = 2000;

struct TestNode {
    store: Arc<Store>,
    changes: ChangeSender,
    gate: watch::Receiver<bool>,
    status: Arc<ReplicationStatus>,
    clock: Clock,
    replication: ReplicationThread,
}

struct TestPair {
    keys: TempDir,
    at: SocketAddr,
    listeners: Vec<TcpListener>,
}

impl TestPair {
    fn new() -> Self {
        let keys = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            generate(&keys.path().join(name)).unwrap();
        }
        let listeners = bind(&Address::parse("127.0.0.1:0").unwrap()).unwrap();
        let at = listeners[0].local_addr().unwrap();
        Self {
            keys,
            at,
            listeners,
        }
    }

    fn key(&self, name: &str) -> PathBuf {
        self.keys.path().join(name)
    }

    /// A node; side 1 takes the listener.
    fn start(&mut self, side: u8, key: &str, patience: Option<Duration>) -> TestNode {
        let listeners = match side {
            1 => std::mem::take(&mut self.listeners),
            _ => Vec::new(),
        };
        self.start_listening(side, key, patience, listeners)
    }

    fn start_listening(
        &self,
        side: u8,
        key: &str,
        patience: Option<Duration>,
        listeners: Vec<TcpListener>,
    ) -> TestNode {
        self.side(side).run(key, patience, listeners)
    }

    /// A node of this side that is not running yet.
    fn side(&self, side: u8) -> Start {
        Start {
            keys: self.keys.path().to_owned(),
            side,
            incarnation: u64::from(side) + 1,
            // Side 1 never dials; the address tells it which host is its partner's.
            partner: PartnerAddresses::of(Address::parse(&self.at.to_string()).unwrap()),
            opens_at_hello: false,
        }
    }
}

/// What a node is started with.
struct Start {
    keys: PathBuf,
    side: u8,
    incarnation: u64,
    partner: PartnerAddresses,
    opens_at_hello: bool,
}

impl Start {
    fn run(self, key: &str, patience: Option<Duration>, listeners: Vec<TcpListener>) -> TestNode {
        let side = self.side;
        let key = PairKey::load(&self.keys.join(key)).unwrap();
        let store = Arc::new(Store::new(&StoreConfig {
            hash_secret: key.hash_secret(),
            side,
            replicated: true,
            ..StoreConfig::of_a_test()
        }));
        let (near, far) = change_queue(1 << 30, 0);
        let (gate, open) = watch::channel(false);
        let status = Arc::new(ReplicationStatus::new(
            format!("n{side}"),
            Some(side),
            Mode::SemiSync,
        ));
        let replication = ReplicationThread::spawn(ReplicationSetup {
            link: LinkConfig {
                ack_timeout_ms: Some(ACK_TIMEOUT_MS),
                side,
                node_id: format!("n{side}"),
                incarnation: self.incarnation,
                policy: String::new(),
                listen_addr: String::new(),
                failover_addr: String::new(),
            },
            partner: self.partner,
            listeners,
            tls: LinkTls::new(&key).unwrap(),
            startup: StartupRules {
                patience_ms: patience.map(|patience| patience.as_millis() as u64),
                opens_at_hello: self.opens_at_hello,
            },
            store: Arc::clone(&store),
            changes: far,
            gate,
            status: Arc::clone(&status),
            drain_timeout: Duration::from_secs(5),
        })
        .unwrap();
        TestNode {
            store,
            changes: near,
            gate: open,
            status,
            clock: Clock::new(),
            replication,
        }
    }
}

impl TestNode {
    fn set(&self, key: &str, value: &str) {
        let mut context = OpContext::at(self.clock.now());
        let head = ItemHead {
            deadline_ms: NEVER,
            ..ItemHead::default()
        };
        self.store.update(key.as_bytes(), &mut context, |_| {
            let mut pending = self
                .store
                .pending_item(key.as_bytes(), &head, value.len())
                .unwrap();
            pending.fill(|bytes| bytes.copy_from_slice(value.as_bytes()));
            (Action::Put(pending), ())
        });
        self.changes.send(&mut context.dirty);
    }

    fn get(&self, key: &str) -> Option<String> {
        let mut context = OpContext::at(self.clock.now());
        let show = |item: &crate::store::Item| String::from_utf8(item.value().to_vec()).unwrap();
        self.store.read(key.as_bytes(), &mut context, show).ok()
    }

    fn is_open(&self) -> bool {
        *self.gate.borrow()
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..POLLS_MAX {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

/// A pair, and its nodes of side 0 and 1.
fn serving_pair() -> (TestPair, TestNode, TestNode) {
    let mut pair = TestPair::new();
    let zero = pair.start(0, "a", None);
    let one = pair.start(1, "a", None);
    wait_for("both serve", || zero.is_open() && one.is_open());
    (pair, zero, one)
}

#[test]
fn two_nodes_connect_and_hold_the_same_items() {
    let (_pair, zero, one) = serving_pair();
    for number in 0..1000 {
        zero.set(&format!("zero{number}"), &format!("{number}"));
        one.set(&format!("one{number}"), &format!("{number}"));
    }
    wait_for("the last keys arrive", || {
        one.get("zero999").is_some() && zero.get("one999").is_some()
    });
    for number in 0..1000 {
        assert_eq!(one.get(&format!("zero{number}")), Some(number.to_string()));
        assert_eq!(zero.get(&format!("one{number}")), Some(number.to_string()));
    }
    wait_for("all is confirmed", || {
        zero.status.counters().unconfirmed_records == 0
    });
    assert_eq!(zero.status.counters().queue_overflows, 0);
}

/// Regression: every turn of the link published the open gate again, which cost an eventfd write
/// and a switch to the acceptor's thread: 4,902 of them in 1.5 s of traffic.
#[test]
fn the_gate_opens_once_however_many_turns_the_link_takes() {
    let mut pair = TestPair::new();
    let zero = pair.start(0, "a", None);
    let one = pair.start(1, "a", None);
    let mut gate = zero.gate.clone();
    let waits = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let mut wake_ups = 0;
            while gate.changed().await.is_ok() {
                wake_ups += 1;
            }
            wake_ups
        })
    });
    wait_for("both serve", || zero.is_open() && one.is_open());
    for number in 0..100 {
        zero.set("key", &number.to_string());
        wait_for("the write arrives", || {
            one.get("key").as_deref() == Some(&number.to_string())
        });
    }
    zero.replication.close_clients();
    assert_eq!(waits.join().unwrap(), 1);
}

/// A panic of the thread left a node that looked alive and replicated nothing: its client port
/// closed, and the process went on.
#[test]
fn a_panic_of_the_replication_thread_costs_a_sync_and_nothing_else() {
    let (_pair, zero, one) = serving_pair();
    for node in [&zero, &one] {
        let faults = node.status.counters().link_faults;
        node.status.want_panic();
        wait_for("the fault is counted", || {
            node.status.counters().link_faults == faults + 1
        });
        zero.set("during", &format!("{faults}"));
        wait_for("the link comes back", || {
            zero.status.link() == LinkState::Up && one.status.link() == LinkState::Up
        });
        zero.set("after", &format!("{faults}"));
        wait_for(
            "what was written without a link arrives, and what comes after",
            || {
                ["during", "after"]
                    .iter()
                    .all(|key| one.get(key) == zero.get(key))
            },
        );
        assert!(node.is_open());
        one.set("last", "");
    }
}

/// A node that opened before its partner's table was there and then lost the partner went on
/// serving with what had arrived: a miss for everything else.
#[test]
fn a_node_that_opened_at_the_hello_closes_when_the_link_ends_before_the_sync() {
    let mut pair = TestPair::new();
    let one = pair.start(1, "a", Some(Duration::ZERO));
    wait_for("side 1 serves alone", || one.is_open());
    let value = "v".repeat(1000);
    for number in 0..20_000 {
        one.set(&format!("key{number}"), &value);
    }
    let zero = Start {
        opens_at_hello: true,
        ..pair.side(0)
    };
    let zero = zero.run("a", None, Vec::new());
    let mut gate = zero.gate.clone();
    let (one_status, zero_status) = (Arc::clone(&one.status), Arc::clone(&zero.status));
    let watches = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            gate.wait_for(|is_open| *is_open).await.unwrap();
            let synced_at_first = zero_status.counters().pass_received > 0;
            // Ends the link.
            one_status.want_panic();
            gate.wait_for(|is_open| !*is_open).await.unwrap();
            assert!(!synced_at_first, "it did not open at the hello");
            gate.wait_for(|is_open| *is_open).await.unwrap();
        });
    });
    wait_for("it opens, closes and opens", || watches.is_finished());
    watches.join().unwrap();
    wait_for("the table arrives", || zero.get("key19999").is_some());
    assert!(one.is_open(), "a node that serves alone keeps serving");
}

#[test]
fn a_stopped_node_has_given_the_partner_every_write() {
    let (_pair, zero, one) = serving_pair();
    for number in 0..5000 {
        zero.set(&format!("key{number}"), "value");
    }
    zero.replication.close_clients();
    let mut gate = zero.gate.clone();
    wait_for("the gate is dropped", || gate.has_changed().is_err());
    gate.mark_unchanged();
    zero.replication.drain();
    for number in 0..5000 {
        assert!(one.get(&format!("key{number}")).is_some(), "key{number}");
    }
    wait_for("the partner notices the end", || {
        one.status.link() == LinkState::Down
    });
    assert!(one.is_open(), "a serving node keeps serving");
}

#[test]
fn a_node_with_another_key_is_refused_and_neither_opens() {
    let mut pair = TestPair::new();
    // They wait less than a refusal lasts, so that a refusal that does not count opens the port.
    let zero = pair.start(0, "a", Some(Duration::from_millis(1)));
    let one = pair.start(1, "b", Some(Duration::from_secs(5)));
    let refused = |node: &TestNode| matches!(node.status.link(), LinkState::Refused(_));
    wait_for("side 1 refuses", || refused(&one));
    assert!(!one.is_open());
    wait_for("side 0 is refused", || refused(&zero));
    let LinkState::Refused(reason) = one.status.link() else {
        panic!("no longer refused")
    };
    assert!(reason.contains("copy one key file to both"), "{reason}");
    assert_eq!(one.status.counters().link_ups, 0);
}

/// Both nodes are configured as side 0, and one of them even dials itself.
#[test]
fn two_nodes_of_one_side_are_refused_and_neither_opens() {
    let mut pair = TestPair::new();
    let listeners = std::mem::take(&mut pair.listeners);
    let one = pair.start_listening(0, "a", Some(Duration::from_secs(5)), listeners);
    let two = pair.start(0, "a", Some(Duration::from_secs(5)));
    let refused = |node: &TestNode| match node.status.link() {
        LinkState::Refused(reason) => reason.contains("side"),
        _ => false,
    };
    wait_for("both are refused", || refused(&one) && refused(&two));
    assert!(!one.is_open() && !two.is_open());
}

#[test]
fn a_node_that_serves_alone_accepts_its_partner_later() {
    let mut pair = TestPair::new();
    let zero = pair.start(0, "a", Some(Duration::ZERO));
    wait_for("it serves", || zero.is_open());
    zero.set("early", "1");
    let one = pair.start(1, "a", None);
    wait_for("the partner opens", || one.is_open());
    assert_eq!(one.get("early").as_deref(), Some("1"));
}

#[test]
fn a_newer_link_of_the_same_process_replaces_the_older_one() {
    let mut pair = TestPair::new();
    let one = pair.start(1, "a", None);
    let first = pair.start(0, "a", None);
    wait_for("the first connects", || one.is_open() && first.is_open());
    // The same incarnation, so that it counts as the same process.
    let second = pair.start(0, "a", None);
    second.set("from the second", "1");
    wait_for("the second link is up", || {
        one.get("from the second").is_some()
    });
    assert!(one.status.counters().link_ups >= 2);
}

/// Unauthenticated connections take every place, or send garbage or far too much: the partner still
/// connects, and what they sent changes nothing.
#[test]
fn unauthenticated_links_do_not_keep_the_partner_out() {
    let mut pair = TestPair::new();
    let at = pair.at;
    let one = pair.start(1, "a", None);
    let silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(at).unwrap()).collect();
    wait_for("the oldest are closed", || {
        one.status.unauthenticated_links() >= 40 - UNAUTHENTICATED_LINKS_MAX as u64
    });
    let mut noise = TcpStream::connect(at).unwrap();
    // Handshake records of the greatest length, one after the other.
    let record = [&[22, 3, 1, 0x40, 0][..], &[0xff; 0x4000]].concat();
    for _ in 0..64 {
        if noise.write_all(&record).is_err() {
            break;
        }
    }
    let mut rest = Vec::new();
    // Ends at the latest when the handshake has taken too long.
    let _ = noise.read_to_end(&mut rest);
    assert!(rest.len() < 1024);
    let zero = pair.start(0, "a", None);
    wait_for("the partner connects", || one.is_open() && zero.is_open());
    zero.set("key", "value");
    wait_for("the write arrives", || one.get("key").is_some());
    drop(silent);
}
