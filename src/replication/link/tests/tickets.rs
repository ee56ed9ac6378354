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
        let pair = |it: Answer| (it.ticket.number, it.protected);
        answers.into_iter().map(pair).collect()
    }

    /// Writes a key without telling the link.
    fn write(&mut self, key: &[u8], len: usize) {
        self.put(key, len, NEVER);
    }

    /// Writes a key, which is group `number`.
    fn write_group(&mut self, number: u64, key: &[u8], len: usize) {
        self.write(key, len);
        self.commit(number, &[key]);
    }

    /// Writes a value of more than one frame, which is group `number`.
    fn write_large(&mut self, number: u64, key: &[u8], len: usize) {
        self.write(key, len);
        self.commit_group(number, &[self.store.slot_of(key)], true, false);
    }
}

/// One output of `a` to `b`, and `b`'s acks back.
fn round_trip(a: &mut Side, b: &mut Side) {
    let output = a.transmit(1 << 20);
    deliver(&output, a, b);
}

/// Bytes of `a` to `b`, and `b`'s acks back.
fn deliver(output: &[u8], a: &mut Side, b: &mut Side) {
    b.received(output).unwrap();
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
    a.write_group(1, b"key", 5);
    a.write_group(2, b"key", 6);
    round_trip(&mut a, &mut b);
    assert_eq!(a.answers(), [(1, true), (2, true)]);
    assert_eq!(b.version_of(b"key"), a.version_of(b"key"));
    // It has left the set, so this is another record.
    a.write_group(3, b"key", 7);
    assert_eq!(a.answers(), []);
    round_trip(&mut a, &mut b);
    assert_eq!(a.answers(), [(3, true)]);
}

/// Regression: it was answered as protected. A touch that the partner does not have is gone, too,
/// when its item is evicted.
#[test]
fn a_group_whose_entries_are_gone_is_unprotected_and_answered_after_those_before_it() {
    let (mut a, mut b) = connected_pair();
    a.write_group(1, b"key", 5);
    a.commit_group(2, &[12345], false, false);
    let output = a.transmit(1 << 20);
    assert_eq!(a.answers(), [], "the record before it is on its way");
    deliver(&output, &mut a, &mut b);
    assert_eq!(a.answers(), [(1, true), (2, false)]);
    a.commit_group(3, &[12345], false, false);
    a.transmit(1 << 20);
    assert_eq!(a.answers(), [(3, false)]);
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
    deliver(&output, &mut a, &mut b);
    assert_eq!(a.answers(), [(1, true)]);
}

#[test]
fn a_large_value_is_answered_at_its_last_chunk_and_delays_no_small_group() {
    let (mut a, mut b) = connected_pair();
    a.write_large(1, b"large", 300_000);
    round_trip(&mut a, &mut b);
    a.write_group(1, b"small", 5);
    let answered = answers_of_rounds(&mut a, &mut b, |_, b| b.has(b"large"));
    assert_eq!(answered, [((1, true), false), ((1, true), true)]);
}

/// What the partner is sent of a large value that was written again is the older one first, so its
/// ack must not answer the newer one's client.
#[test]
fn a_large_value_written_again_is_answered_by_its_own_transfer() {
    let (mut a, mut b) = connected_pair();
    a.write_large(1, b"large", 300_000);
    round_trip(&mut a, &mut b);
    a.write_large(2, b"large", 200_000);
    let answered = answers_of_rounds(&mut a, &mut b, has_newest);
    assert_eq!(answered, [((1, true), false), ((2, true), true)]);
}

/// Regression: the last ack of a transfer answered the group that rode on the next transfer of the
/// key, which had just begun. Its client was told that the partner had the new value.
#[test]
fn the_last_ack_of_a_transfer_does_not_answer_the_group_of_the_next_one() {
    let (mut a, mut b) = connected_pair();
    a.write_large(1, b"large", 100_000);
    round_trip(&mut a, &mut b);
    let end_of_first = a.transmit(1 << 20);
    a.write_large(2, b"large", 90_000);
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
    a.write_large(1, b"key", 300_000);
    let start = a.transmit(1 << 20);
    b.received(&start).unwrap();
    a.write_group(1, b"key", 5);
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
    a.write_group(1, b"key", 5);
    a.overflow();
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
    a.write_group(1, b"key", 5);
    assert!(a.link.is_waited_for());
    let stuck = a.transmit(1 << 20);
    a.now.boot_ms += 3 * ACK_TIMEOUT_MS - 1;
    a.link.tick(&a.store, a.now).unwrap();
    assert!(a.link.is_waited_for() && a.answers().is_empty());
    a.now.boot_ms += 1;
    a.link.tick(&a.store, a.now).unwrap();
    assert!(!a.link.is_waited_for());
    assert_eq!(a.answers(), [(1, false)]);
    a.write_group(2, b"key", 6);
    assert_eq!(a.answers(), [(2, false)], "nobody waits");
    // It wakes up.
    b.received(&stuck).unwrap();
    for _ in 0..12 {
        talk(&mut a, &mut b);
        for side in [&mut a, &mut b] {
            side.now.boot_ms += 100;
            side.link.tick(&side.store, side.now).unwrap();
        }
        a.write_group(3, b"key", 7);
        a.answers();
    }
    assert!(a.link.is_waited_for(), "its acks were in time for a second");
}

/// Regression: the key of a small write that a large one replaced before it was read left the queue
/// without a record, and the small write was answered as protected. Had the node died then, the
/// partner would have shown the value before both.
#[test]
fn a_small_write_that_a_large_one_replaces_is_not_protected_and_others_are() {
    let (mut a, mut b) = connected_pair();
    let large_slot = a.store.slot_of(b"large");
    a.write(b"before", 5);
    a.commit(1, &[b"before"]);
    a.write(b"large", 5);
    a.write(b"other", 5);
    a.commit(2, &[b"large", b"other"]);
    a.write(b"after", 5);
    a.commit(3, &[b"after"]);
    a.write(b"large", 300_000);
    a.commit_group(9, &[large_slot], true, false);
    a.write(b"last", 5);
    a.commit(4, &[b"last", b"large"]);
    let mut answered = Vec::new();
    for ((number, protected), has_come) in answers_of_rounds(&mut a, &mut b, has_newest) {
        assert!(has_come || number != 9 || !protected);
        answered.push((number, protected));
    }
    answered.sort_unstable();
    let expected = [(1, true), (2, false), (3, true), (4, false), (9, true)];
    assert_eq!(answered, expected);
}

/// A group may come in several batches, of which the last has the ticket.
#[test]
fn a_key_that_the_first_batch_of_a_group_shares_with_an_older_one_counts() {
    let (mut a, _) = connected_pair();
    for key in [b"a", b"b"] {
        a.write(key, 5);
    }
    a.commit(1, &[b"a"]);
    let first = WriteGroup {
        slots: &[a.store.slot_of(b"a")],
        ticket: None,
        has_flushed: false,
    };
    a.link.commit(&first, &a.store);
    a.commit(2, &[b"b"]);
    a.transmit(1 << 20);
    let mut acks = Vec::new();
    let mut runs = vec![(Ack::NoRoom, 1), (Ack::Applied, 1)].into_iter();
    Frame::encode_acks(&mut acks, || runs.next());
    a.received(&acks).unwrap();
    assert_eq!(a.answers(), [(1, false), (2, false)]);
}

/// Regression: a large value that expired while it waited was sent as a tombstone with the position
/// of the next small record, whose group was answered as protected before it was sent.
#[test]
fn a_large_value_that_expires_while_it_waits_answers_for_no_other_record() {
    let (mut a, mut b) = connected_pair();
    let slots = [b"first", b"large"].map(|key| a.store.slot_of(key));
    a.write(b"first", 300_000);
    a.commit_group(8, &slots[..1], true, false);
    let deadline_ms = a.now.boot_ms + 10;
    a.put(b"large", 300_000, deadline_ms);
    a.commit_group(9, &slots[1..], true, false);
    // Both are in the queue of large values.
    let output = a.transmit(1);
    b.received(&output).unwrap();
    a.now.boot_ms = deadline_ms + 1;
    for (number, len) in (10..30).zip(5..) {
        let output = a.transmit(1 << 20);
        b.received(&output).unwrap();
        a.answers();
        a.write(b"small", len);
        a.commit(number, &[b"small"]);
        let acks = b.transmit(1 << 20);
        a.received(&acks).unwrap();
        let early = (number, true);
        assert!(!a.answers().contains(&early), "{number} has not been sent");
    }
    assert_eq!(b.version_of(b"large"), None);
}
