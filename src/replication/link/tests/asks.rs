//! Keys that clients wait for.

use super::*;
use crate::limits::{ASK_KEYS_MAX, ASKS_UNDER_WAY_MAX};
use crate::store::Consult;

impl Side {
    /// A client asks for keys, as number `client`.
    fn ask(&mut self, client: u64, keys: &[&[u8]]) {
        let slots: Vec<u64> = keys.iter().map(|key| self.store.slot_of(key)).collect();
        self.link.ask(client, &slots);
    }

    fn asked(&mut self) -> Vec<(u64, bool)> {
        self.link.take_asked().collect()
    }
}

/// A pair whose link has just come up, and of which side 0 has not got anything yet.
fn just_up(values: &[(&[u8], usize)]) -> (Side, Side) {
    let (mut a, mut b) = (side(0), side(1));
    a.store.begin_incomplete();
    for &(key, len) in values {
        b.set(key, len);
    }
    connect(&mut a, &mut b);
    while !(a.link.is_up() && b.link.is_up()) {
        let to_b = a.transmit(1);
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1);
        a.received(&to_a).unwrap();
    }
    (a, b)
}

#[test]
fn what_is_asked_for_comes_before_the_rest_and_then_the_answer() {
    let values: Vec<_> = (0..1000).map(|n| format!("key{n}").into_bytes()).collect();
    let values: Vec<_> = values.iter().map(|key| (&key[..], 1000)).collect();
    let (mut a, mut b) = just_up(&values);
    a.ask(7, &[b"key500", b"nothing"]);
    let mut rounds = 0;
    while a.asked() != [(7, true)] {
        let to_b = a.transmit(1);
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1);
        a.received(&to_a).unwrap();
        rounds += 1;
        assert!(rounds < 20, "it waits for the sync");
    }
    assert!(a.has(b"key500") && !a.has(b"nothing"));
    assert!(a.store.memory().live_items < 10, "the sync has not come");
    settle(&mut a, &mut b);
    assert_synced(&a, &b);
}

/// A large value is there when the answer is.
#[test]
fn the_answer_follows_the_last_byte_of_a_large_value() {
    let (mut a, mut b) = just_up(&[(b"large", 1_000_000)]);
    a.ask(7, &[b"large"]);
    for _ in 0..1000 {
        let to_b = a.transmit(1);
        b.received(&to_b).unwrap();
        let to_a = b.transmit(1);
        a.received(&to_a).unwrap();
        let asked = a.asked();
        assert!(asked.is_empty() || a.has(b"large"), "answered too early");
        if asked == [(7, true)] {
            return;
        }
    }
    panic!("never answered");
}

#[test]
fn keys_that_are_asked_for_already_are_not_asked_for_again() {
    let (mut a, mut b) = just_up(&[(b"one", 10), (b"two", 10), (b"three", 10)]);
    a.transmit(1 << 20);
    a.ask(1, &[b"one"]);
    a.ask(2, &[b"one", b"two"]);
    let first = a.transmit(1 << 20);
    a.ask(3, &[b"one", b"two"]);
    a.ask(4, &[b"two", b"three", b"two"]);
    let second = a.transmit(1 << 20);
    let asks = |sent: &[u8]| {
        let mut asked = Vec::new();
        let mut framer = Framer::default();
        let fed = framer.feed(sent, |frame| {
            if let Frame::Ask(slots) = frame {
                asked.push(slots.iter().collect::<Vec<u64>>());
            }
            Ok::<_, WireError>(())
        });
        fed.unwrap();
        asked
    };
    let slot = |key: &[u8]| a.store.slot_of(key);
    assert_eq!(asks(&first), [[slot(b"one"), slot(b"two")]]);
    assert_eq!(asks(&second), [[slot(b"three")]]);
    b.received(&first).unwrap();
    let to_a = b.transmit(1 << 20);
    a.received(&to_a).unwrap();
    let mut asked = a.asked();
    asked.sort_unstable();
    assert_eq!(asked, [(1, true), (2, true), (3, true)]);
    b.received(&second).unwrap();
    let to_a = b.transmit(1 << 20);
    a.received(&to_a).unwrap();
    assert_eq!(a.asked(), [(4, true)]);
}

/// Each answers from its own table only.
#[test]
fn two_nodes_that_ask_each_other_do_not_wait_for_each_other() {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"of a", 10);
    b.set(b"of b", 10);
    connect(&mut a, &mut b);
    while !(a.link.is_up() && b.link.is_up()) {
        let (to_b, to_a) = (a.transmit(1), b.transmit(1));
        b.received(&to_b).unwrap();
        a.received(&to_a).unwrap();
    }
    a.ask(1, &[b"of b"]);
    b.ask(2, &[b"of a"]);
    talk(&mut a, &mut b);
    assert_eq!(a.asked(), [(1, true)]);
    assert_eq!(b.asked(), [(2, true)]);
}

#[test]
fn without_a_link_an_ask_is_unanswered_at_once_and_so_it_is_when_the_link_ends() {
    let (mut a, mut b) = just_up(&[(b"key", 10)]);
    a.ask(1, &[b"key"]);
    cut(&mut a, &mut b);
    a.ask(2, &[b"key"]);
    let mut asked = a.asked();
    asked.sort_unstable();
    assert_eq!(asked, [(1, false), (2, false)]);
    connect(&mut a, &mut b);
    a.ask(3, &[b"key"]);
    assert_eq!(a.asked(), [(3, false)], "not up yet");
}

#[test]
fn a_partner_that_hashes_keys_differently_does_not_answer() {
    let mut a = side(0);
    let mut b = side_of_other_hashes();
    b.set(b"key", 10);
    connect(&mut a, &mut b);
    while !(a.link.is_up() && b.link.is_up()) {
        let (to_b, to_a) = (a.transmit(1), b.transmit(1));
        b.received(&to_b).unwrap();
        a.received(&to_a).unwrap();
    }
    a.ask(1, &[b"key"]);
    talk(&mut a, &mut b);
    assert_eq!(a.asked(), [(1, false)]);
}

#[test]
fn more_asks_than_the_partner_keeps_are_unanswered_here_and_refused_there() {
    let (mut a, mut b) = just_up(&[]);
    let frame_of = |number: u64| -> Vec<u64> {
        let first = number * ASK_KEYS_MAX as u64;
        (first..first + ASK_KEYS_MAX as u64).collect()
    };
    let most = ASKS_UNDER_WAY_MAX as u64;
    (0..most).for_each(|number| a.link.ask(number, &frame_of(number)));
    a.link.ask(most, &frame_of(most));
    assert_eq!(a.asked(), [(most, false)]);
    let asks = a.transmit(1 << 20);
    b.received(&asks).unwrap();
    // The answers are not on the wire yet.
    let mut one_more = Vec::new();
    Frame::encode_ask(&mut one_more, &[1]);
    assert!(matches!(b.received(&one_more), Err(LinkError::Protocol(_))));
    let mut answer = Vec::new();
    Frame::Asked { is_answered: true }.encode(&mut answer);
    let (mut c, _) = connected_pair();
    assert!(matches!(c.received(&answer), Err(LinkError::Protocol(_))));
}

/// What a worker is told before it carries out a command.
#[test]
fn the_partner_is_consulted_where_it_may_hold_something_newer_and_nowhere_else() {
    let (mut a, mut b) = just_up(&[(b"key", 10)]);
    let slot = a.store.slot_of(b"key");
    assert_eq!(a.store.consult(b"key"), Consult::Partner(slot));
    // A node without its partner's table does not answer once the link is lost.
    cut(&mut a, &mut b);
    assert_eq!(a.store.consult(b"key"), Consult::NoAnswer);
    assert_eq!(b.store.consult(b"key"), Consult::Nobody, "it never started");
    connect(&mut a, &mut b);
    assert_eq!(a.store.consult(b"key"), Consult::NoAnswer, "not up yet");
    talk(&mut a, &mut b);
    for side in [&a, &b] {
        assert_eq!(side.store.consult(b"key"), Consult::Nobody);
        assert!(side.store.is_complete());
    }
    // From now on it may answer alone.
    cut(&mut a, &mut b);
    assert_eq!(a.store.consult(b"key"), Consult::Nobody);
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    // Where changes were dropped the partner is asked again, and only there.
    b.put(b"key", 20, NEVER);
    b.link.overflowed(&[slot]);
    let told = b.transmit(1);
    a.received(&told).unwrap();
    assert_eq!(a.store.consult(b"key"), Consult::Partner(slot));
    assert_eq!(a.store.consult(b"other"), Consult::Nobody);
    talk(&mut a, &mut b);
    assert_eq!(a.store.consult(b"key"), Consult::Nobody);
}
