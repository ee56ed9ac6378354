//! Which connection may replace a running link, and which of the partner's addresses is dialled.

use std::io;
use std::time::Instant;

use super::*;
use crate::replication::runner::addresses::PartnerAddresses;

impl TestPair {
    /// A second process of side 0.
    fn start_second(&self, partner: SocketAddr, patience: Duration) -> TestNode {
        let second = Start {
            incarnation: 9,
            partner: PartnerAddresses::of(Address::parse(&partner.to_string()).unwrap()),
            ..self.side(0)
        };
        second.run("a", Some(patience), Vec::new())
    }
}

fn refusal(node: &TestNode) -> String {
    match node.status.link() {
        LinkState::Refused(reason) => reason,
        _ => String::new(),
    }
}

/// Regression: a second node of side 0 with the same key took the link from the first, which took
/// it back: ten times a second, each time with a sync, and both served clients.
#[test]
fn another_process_replaces_a_link_only_when_it_has_ended() {
    let mut pair = TestPair::new();
    let one = pair.start(1, "a", None);
    let first = pair.start(0, "a", None);
    wait_for("the first connects", || one.is_open() && first.is_open());
    first.set("key", "of the first");
    let second = pair.start_second(pair.at, Duration::from_secs(5));
    wait_for("the second is refused", || {
        refusal(&second).contains("another process of side 0")
    });
    wait_for("the first node's write arrives", || {
        one.get("key").is_some()
    });
    for node in [&first, &one] {
        assert_eq!(node.status.counters().link_ups, 1);
    }
    assert!(!second.is_open());
    first.replication.close_clients();
    first.replication.drain();
    wait_for("the second opens", || second.is_open());
    assert_eq!(second.get("key").as_deref(), Some("of the first"));
    assert_eq!(one.status.counters().link_ups, 2);
}

/// Regression: after side 0 had accepted a connection, its dialler did not wait for the end of the
/// next link, and dialled while that was up.
#[test]
fn side_0_does_not_dial_during_a_link_after_it_refused_a_connection() {
    let mut pair = TestPair::new();
    let own = bind(&Address::parse("127.0.0.1:0").unwrap()).unwrap();
    let own_at = own[0].local_addr().unwrap();
    let zero = pair.start_listening(0, "a", Some(Duration::from_secs(30)), own);
    let visitor = pair.start_second(own_at, Duration::from_secs(30));
    wait_for("both are refused", || {
        refusal(&zero).contains("side") && refusal(&visitor).contains("side")
    });
    let one = pair.start(1, "a", None);
    wait_for("the pair connects", || one.is_open() && zero.is_open());
    // Several times the dialler's pause between attempts.
    let until = Instant::now() + Duration::from_secs(3);
    for number in 0.. {
        zero.set("key", &number.to_string());
        thread::sleep(Duration::from_millis(20));
        assert_eq!(zero.status.counters().link_ups, 1);
        if Instant::now() > until {
            break;
        }
    }
    assert_eq!(one.status.counters().link_ups, 1);
    assert!(!visitor.is_open());
}

/// Regression: the first address that accepted a connection used all the time of the attempt. If
/// nothing was sent there, the next address was never tried.
#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let mut pair = TestPair::new();
    // The system accepts the connection, and nothing is ever sent.
    let silent = TcpListener::bind("127.0.0.2:0").unwrap();
    let found = vec![silent.local_addr().unwrap(), pair.at];
    let lookup = move || -> io::Result<Vec<SocketAddr>> { Ok(found.clone()) };
    let zero = Start {
        partner: PartnerAddresses::looked_up_by("partner:1".to_owned(), lookup),
        ..pair.side(0)
    };
    let zero = zero.run("a", None, Vec::new());
    let one = pair.start(1, "a", None);
    wait_for("both serve", || zero.is_open() && one.is_open());
}

/// Regression: each connection with another key started a lookup on a thread of its own.
#[test]
fn connections_with_another_key_share_one_lookup() {
    let mut pair = TestPair::new();
    let (at, count) = (pair.at, Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    let lookup = move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // Longer than the rest of the test.
        thread::sleep(Duration::from_secs(20));
        Err(io::Error::other("no answer"))
    };
    let one = Start {
        partner: PartnerAddresses::looked_up_by("partner:1".to_owned(), lookup),
        ..pair.side(1)
    };
    let listeners = std::mem::take(&mut pair.listeners);
    let one = one.run("a", Some(Duration::ZERO), listeners);
    let key = PairKey::load(&pair.key("b")).unwrap();
    let tls = LinkTls::new(&key).unwrap();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(at).unwrap();
        let name = LinkTls::name();
        let mut session = rustls::ClientConnection::new(Arc::clone(&tls.client), name).unwrap();
        // Ends because the keys differ.
        while session.complete_io(&mut stream).is_ok() {}
    }
    wait_for("all are counted", || {
        one.status.unauthenticated_links() >= 20
    });
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
    one.replication.close_clients();
    // Ending does not wait for the lookup either.
    one.replication.drain();
}
