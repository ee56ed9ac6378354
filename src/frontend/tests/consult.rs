//! Which requests are put off until the partner has been asked, in every protocol.

use super::dispatch::Frontend;
use super::flow::Flow;
use super::test_support::{Harness, TestControl, packet};
use crate::auth::Access;
use crate::config::Protocol;
use crate::limits::{ASK_KEYS_MAX, TURN_REQUESTS};
use crate::store::Dependence::{Reads, Writes};
use crate::store::{Dependence, StoreConfig};

/// A node whose link has just come up.
fn harness() -> Harness {
    let harness = Harness::new(&StoreConfig {
        replicated: true,
        ..StoreConfig::of_a_test()
    });
    harness.store.link_begins();
    harness
}

/// Runs a turn; how it stopped and what it used.
fn turn(harness: &Harness, input: &[u8], found: &mut Option<(Dependence, usize)>) -> (usize, Flow) {
    let mut frontend = Frontend::new(Protocol::Auto, &Access::default());
    let mut replies = Vec::new();
    harness.turn(&mut replies, |ctx, out| {
        let ran = frontend.run(input, ctx, out, &TestControl::default(), TURN_REQUESTS);
        let consultation = &ctx.op.consultation;
        *found = Some((consultation.dependence, consultation.wanted.len()));
        ran
    })
}

/// Why the first request is put off, and for how many keys; `None` if it is carried out.
fn put_off(request: &[u8]) -> Option<(Dependence, usize)> {
    let mut found = None;
    let (used, flow) = turn(&harness(), request, &mut found);
    let is_put_off = flow == Flow::Consult;
    assert_eq!(is_put_off, used == 0, "{}", request.escape_ascii());
    found.filter(|_| is_put_off)
}

#[test]
fn text_requests_that_depend_on_what_is_held_are_put_off() {
    for (request, wanted) in [
        ("get a b c\r\n", Some((Reads, 3))),
        ("gets a\r\n", Some((Reads, 1))),
        ("gat 10 a b\r\n", Some((Reads, 2))),
        ("touch a 10\r\n", Some((Writes, 1))),
        ("incr a 1\r\n", Some((Writes, 1))),
        ("decr a 1 noreply\r\n", Some((Writes, 1))),
        ("add a 0 0 1\r\nv\r\n", Some((Writes, 1))),
        ("replace a 0 0 1\r\nv\r\n", Some((Writes, 1))),
        ("append a 0 0 1 noreply\r\nv\r\n", Some((Writes, 1))),
        ("prepend a 0 0 1\r\nv\r\n", Some((Writes, 1))),
        ("cas a 0 0 1 7\r\nv\r\n", Some((Writes, 1))),
        ("delete a\r\n", Some((Writes, 1))),
        ("delete a noreply\r\n", None),
        ("set a 0 0 1\r\nv\r\n", None),
        ("flush_all\r\n", None),
        ("version\r\n", None),
        ("get\r\n", None),
        ("mg a v\r\n", Some((Reads, 1))),
        ("mg YQ== b v\r\n", Some((Reads, 1))),
        ("me a\r\n", Some((Reads, 1))),
        ("md a\r\n", Some((Writes, 1))),
        ("ma a\r\n", Some((Writes, 1))),
        ("ms a 1 ME\r\nv\r\n", Some((Writes, 1))),
        ("ms a 1 C7\r\nv\r\n", Some((Writes, 1))),
        ("ms a 1\r\nv\r\n", None),
        ("mn\r\n", None),
    ] {
        assert_eq!(put_off(request.as_bytes()), wanted, "{request}");
    }
}

#[test]
fn binary_requests_that_depend_on_what_is_held_are_put_off() {
    let number = [0; 20];
    let with_cas = |mut packet: Vec<u8>| {
        packet[23] = 7;
        packet
    };
    let set = packet(0x01, &[0; 8], b"a", b"v");
    for (request, wanted) in [
        (packet(0x00, b"", b"a", b""), Some((Reads, 1))),
        (packet(0x0d, b"", b"a", b""), Some((Reads, 1))),
        (packet(0x1d, &[0; 4], b"a", b""), Some((Reads, 1))),
        (packet(0x1c, &[0; 4], b"a", b""), Some((Writes, 1))),
        (packet(0x02, &[0; 8], b"a", b"v"), Some((Writes, 1))),
        (packet(0x03, &[0; 8], b"a", b"v"), Some((Writes, 1))),
        (packet(0x0e, b"", b"a", b"v"), Some((Writes, 1))),
        (packet(0x04, b"", b"a", b""), Some((Writes, 1))),
        (packet(0x05, &number, b"a", b""), Some((Writes, 1))),
        (with_cas(set.clone()), Some((Writes, 1))),
        (set, None),
        (packet(0x08, b"", b"", b""), None),
        (packet(0x0a, b"", b"", b""), None),
    ] {
        assert_eq!(put_off(&request), wanted, "{:#x}", request[1]);
    }
}

#[test]
fn what_comes_before_a_request_that_is_put_off_is_carried_out() {
    let harness = harness();
    let mut found = None;
    let ran = turn(&harness, b"set a 0 0 1\r\nv\r\nget a\r\n", &mut found);
    assert_eq!(ran, (16, Flow::Consult));
}

/// A line may have more keys than one ask.
#[test]
fn the_keys_of_a_long_line_are_wanted_in_parts() {
    let keys: Vec<String> = (0..ASK_KEYS_MAX + 500)
        .map(|key| format!("key{key}"))
        .collect();
    let line = format!("get {}\r\n", keys.join(" "));
    assert_eq!(put_off(line.as_bytes()), Some((Reads, ASK_KEYS_MAX)));
}

#[test]
fn nothing_is_put_off_once_everything_is_known() {
    let harness = harness();
    harness.store.all_is_known();
    let mut found = None;
    let (_, flow) = turn(&harness, b"get a\r\n", &mut found);
    assert_eq!(flow, Flow::NeedMore);
    assert_eq!(found.map(|(_, wanted)| wanted), Some(0));
}
