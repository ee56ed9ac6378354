//! Groups of writes and the answers for which their clients wait.

use super::*;
use crate::replication::link::{Answer, Ticket, WriteGroup};
use crate::replication::wire::Ack;

impl Side {
    /// Hands over writes of these keys, which are in the table, as group `number` of worker 0.
    fn commit(&mut self, number: u64, keys: &[&[u8]]) {
        let slots: Vec<u64> = keys.iter().map(|key| self.store.slot_of(key)).collect();
        self.commit_group(number, &slots, false, false);
    }

    fn commit_group(&mut self, number: u64, slots: &[u64], is_large: bool, has_flushed: bool) {
        let group = WriteGroup {
            slots,
            ticket: Some(Ticket {
                worker: 0,
                number,
                sent_ms: self.now.boot_ms,
                is_large,
            }),
            has_flushed,
        };
        self.link.commit(&group, &self.store);
    }

    /// The numbers of the groups answered since the last call, and whether each is protected.
    fn answers(&mut self) -> Vec<(u64, bool)> {
        let mut answers = Vec::new();
        self.link.take_answers(&mut answers);
        let pairs = answers
            .iter()
            .map(|it: &Answer| (it.ticket.number, it.protected));
        pairs.collect()
    }

    /// Writes a key without telling the link.
    fn write(&mut self, key: &[u8], len: usize) {
        self.put(key, len, NEVER);
    }
}

/// One output of `a` to `b`, and `b`'s acks back.
fn round_trip(a: &mut Side, b: &mut Side) {
    let output = a.transmit(1 << 20);
    b.received(&output).unwrap();
    let acks = b.transmit(1 << 20);
    a.received(&acks).unwrap();
}

/// The answers of some round trips, each with whether the partner had come so far by then.
fn answers_of_rounds(
    a: &mut Side,
    b: &mut Side,
    has_come: impl Fn(&Side, &Side) -> bool,
) -> Vec<((u64, bool), bool)> {
    let mut answered = Vec::new();
    for _ in 0..20 {
        round_trip(a, b);
        let has_come = has_come(a, b);
        answered.extend(a.answers().into_iter().map(|answer| (answer, has_come)));
    }
    answered
}

fn has_newest(a: &Side, b: &Side) -> bool {
    b.version_of(b"large") == a.version_of(b"large")
}

#[test]
fn a_group_is_answered_when_the_partner_has_all_of_it_and_not_before() {
    let (mut a, mut b) = connected_pair();
    for key in [b"a", b"b", b"c"] {
        a.write(key, 5);
    }
    a.commit(1, &[b"a", b"b"]);
    a.commit(2, &[b"c"]);
    let output = a.transmit(1 << 20);
    assert_eq!(a.answers(), []);
    b.received(&output).unwrap();
    let acks = b.transmit(1 << 20);
    assert_eq!(a.answers(), []);
    a.received(&acks).unwrap();
    assert_eq!(a.answers(), [(1, true), (2, true)]);
}

#[test]
fn a_key_that_waits_already_answers_the_later_group_too() {
    let (mut a, mut b) = connected_pair();
    a.write(b"key", 5);
    a.commit(1, &[b"key"]);
    a.write(b"key", 6);
    a.commit(2, &[b"key"]);
    round_trip(&mut a, &mut b);
    assert_eq!(a.answers(), [(1, true), (2, true)]);
    assert_eq!(b.version_of(b"key"), a.version_of(b"key"));
    // It has left the set, so this is another record.
    a.write(b"key", 7);
    a.commit(3, &[b"key"]);
    assert_eq!(a.answers(), []);
    round_trip(&mut a, &mut b);
    assert_eq!(a.answers(), [(3, true)]);
}

#[test]
fn a_group_whose_entries_are_gone_is_answered_after_those_before_it() {
    let (mut a, mut b) = connected_pair();
    a.write(b"key", 5);
    a.commit(1, &[b"key"]);
    a.commit_group(2, &[12345], false, false);
    let output = a.transmit(1 << 20);
    assert_eq!(a.answers(), [], "the record before it is on its way");
    b.received(&output).unwrap();
    let acks = b.transmit(1 << 20);
    a.received(&acks).unwrap();
    assert_eq!(a.answers(), [(1, true), (2, true)]);
    a.commit_group(3, &[12345], false, false);
    a.transmit(1 << 20);
    assert_eq!(a.answers(), [(3, true)]);
}

#[test]
fn a_refused_record_makes_its_own_group_unprotected_and_later_ones_that_wrote_its_key() {
    let (mut a, _) = connected_pair();
    for key in [b"a", b"b", b"c"] {
        a.write(key, 5);
    }
    a.commit(1, &[b"a"]);
    a.commit(2, &[b"b"]);
    a.commit(3, &[b"c"]);
    a.commit(4, &[b"b"]);
    a.transmit(1 << 20);
    let mut acks = Vec::new();
    let mut runs = vec![(Ack::Applied, 1), (Ack::NoRoom, 1), (Ack::Applied, 1)].into_iter();
    Frame::encode_acks(&mut acks, || runs.next());
    a.received(&acks).unwrap();
    assert_eq!(a.answers(), [(1, true), (2, false), (3, true), (4, false)]);
}

#[test]
fn a_flush_is_answered_when_the_partner_has_it() {
    let (mut a, mut b) = connected_pair();
    a.store.flush(&mut OpContext::at(a.now));
    a.commit_group(1, &[], false, true);
    let output = a.transmit(1 << 20);
    assert_eq!(names(&output), ["flush"]);
    assert_eq!(a.answers(), []);
    b.received(&output).unwrap();
    let acks = b.transmit(1 << 20);
    a.received(&acks).unwrap();
    assert_eq!(a.answers(), [(1, true)]);
}

#[test]
fn a_large_value_is_answered_at_its_last_chunk_and_delays_no_small_group() {
    let (mut a, mut b) = connected_pair();
    a.write(b"large", 300_000);
    let large = a.store.slot_of(b"large");
    a.commit_group(1, &[large], true, false);
    round_trip(&mut a, &mut b);
    a.write(b"small", 5);
    a.commit(1, &[b"small"]);
    let answered = answers_of_rounds(&mut a, &mut b, |_, b| b.has(b"large"));
    assert_eq!(answered, [((1, true), false), ((1, true), true)]);
}

/// What the partner is sent of a large value that was written again is the older one first, so its
/// ack must not answer the newer one's client.
#[test]
fn a_large_value_written_again_is_answered_by_its_own_transfer() {
    let (mut a, mut b) = connected_pair();
    let large = a.store.slot_of(b"large");
    a.write(b"large", 300_000);
    a.commit_group(1, &[large], true, false);
    round_trip(&mut a, &mut b);
    a.write(b"large", 200_000);
    a.commit_group(2, &[large], true, false);
    let answered = answers_of_rounds(&mut a, &mut b, has_newest);
    assert_eq!(answered, [((1, true), false), ((2, true), true)]);
}

/// Regression: the last ack of a transfer answered the group that rode on the next transfer of the
/// key, which had just begun. Its client was told that the partner had the new value.
#[test]
fn the_last_ack_of_a_transfer_does_not_answer_the_group_of_the_next_one() {
    let (mut a, mut b) = connected_pair();
    let large = a.store.slot_of(b"large");
    a.write(b"large", 100_000);
    a.commit_group(1, &[large], true, false);
    round_trip(&mut a, &mut b);
    let end_of_first = a.transmit(1 << 20);
    a.write(b"large", 90_000);
    a.commit_group(2, &[large], true, false);
    let start_of_second = a.transmit(1 << 20);
    assert_eq!(names(&end_of_first), ["chunk"]);
    assert_eq!(names(&start_of_second), ["start"]);
    b.received(&end_of_first).unwrap();
    let last_ack = b.transmit(1 << 20);
    b.received(&start_of_second).unwrap();
    a.received(&last_ack).unwrap();
    assert_eq!(a.answers(), [(1, true)]);
    let answered = answers_of_rounds(&mut a, &mut b, has_newest);
    assert_eq!(answered, [((2, true), true)]);
}

/// A small value replaces a large one that is on its way: it was sent after the transfer's end, and
/// must be answered no sooner.
#[test]
fn a_small_value_ends_the_transfer_of_the_large_one_it_replaces() {
    let (mut a, mut b) = connected_pair();
    let slot = a.store.slot_of(b"key");
    a.write(b"key", 300_000);
    a.commit_group(1, &[slot], true, false);
    let start = a.transmit(1 << 20);
    b.received(&start).unwrap();
    a.write(b"key", 5);
    a.commit(1, &[b"key"]);
    let output = a.transmit(1 << 20);
    assert_eq!(names(&output), ["abort", "key"]);
    b.received(&output).unwrap();
    assert_eq!(a.answers(), []);
    let acks = b.transmit(1 << 20);
    a.received(&acks).unwrap();
    assert_eq!(a.answers(), [(1, true), (1, true)]);
    assert_eq!(b.version_of(b"key"), a.version_of(b"key"));
}

#[test]
fn nothing_is_known_of_groups_when_the_link_ends_or_keys_are_dropped() {
    let (mut a, _) = connected_pair();
    a.write(b"key", 5);
    a.commit(1, &[b"key"]);
    a.link.overflowed();
    assert_eq!(a.answers(), [(1, false)]);
    a.commit(2, &[b"key"]);
    a.transmit(1 << 20);
    a.link.disconnected(&a.store, a.now);
    assert_eq!(a.answers(), [(2, false)]);
    a.commit(3, &[b"key"]);
    assert_eq!(a.answers(), [(3, false)], "there is no link");
}

#[test]
fn a_partner_that_stands_still_is_waited_for_until_it_is_degraded() {
    let (mut a, mut b) = connected_pair();
    a.write(b"key", 5);
    a.commit(1, &[b"key"]);
    assert!(a.link.is_waited_for());
    let stuck = a.transmit(1 << 20);
    a.now.boot_ms += 3 * ACK_TIMEOUT_MS - 1;
    a.link.tick(&a.store, a.now).unwrap();
    assert!(a.link.is_waited_for() && a.answers().is_empty());
    a.now.boot_ms += 1;
    a.link.tick(&a.store, a.now).unwrap();
    assert!(!a.link.is_waited_for());
    assert_eq!(a.answers(), [(1, false)]);
    a.write(b"key", 6);
    a.commit(2, &[b"key"]);
    assert_eq!(a.answers(), [(2, false)], "nobody waits");
    // It wakes up.
    b.received(&stuck).unwrap();
    for _ in 0..12 {
        talk(&mut a, &mut b);
        for side in [&mut a, &mut b] {
            side.now.boot_ms += 100;
            side.link.tick(&side.store, side.now).unwrap();
        }
        a.write(b"key", 7);
        a.commit(3, &[b"key"]);
        a.answers();
    }
    assert!(a.link.is_waited_for(), "its acks were in time for a second");
}

/// Regression: a large value that expired while it waited was sent as a deletion, with the position
/// of the next small record. Its ack answered the writer of that record as protected, and the
/// partner did not have it.
#[test]
fn the_ack_of_an_expired_large_value_answers_no_later_write() {
    let (mut a, mut b) = connected_pair();
    a.write(b"first", 300_000);
    a.put(b"expires", 300_000, a.now.boot_ms + 50);
    for (number, key) in [(1, &b"first"[..]), (2, b"expires")] {
        let slot = a.store.slot_of(key);
        a.commit_group(number, &[slot], true, false);
    }
    while !b.has(b"first") {
        round_trip(&mut a, &mut b);
    }
    a.now.boot_ms += 100;
    let deletion = a.transmit(1 << 20);
    assert_eq!(names(&deletion), ["tombstone"]);
    a.write(b"small", 1);
    a.commit(3, &[b"small"]);
    let small = a.transmit(1 << 20);
    assert_eq!(names(&small), ["small"]);
    b.received(&deletion).unwrap();
    a.answers();
    a.received(&b.transmit(1 << 20)).unwrap();
    assert_eq!(a.answers(), [(2, true)]);
    b.received(&small).unwrap();
    a.received(&b.transmit(1 << 20)).unwrap();
    assert_eq!(a.answers(), [(3, true)]);
}
