//! Large values that change while they are sent.
//!
//! Regression: any change of the key, even a touch, restarted its transfer, and the end mark of a
//! sync did not wait for it. A value that was touched every 20 ms never reached the partner,
//! which received gigabytes of first chunks; and a restarted node opened its client port without
//! the value and answered misses.

use super::*;

const LARGE_BYTES: usize = 3_000_000;

/// Sends a little, and delivers it.
fn step(a: &mut Side, b: &mut Side) -> Vec<String> {
    names(&exchange(a, b, 100_000).0)
}

/// Changes the key before each step, until the partner has the key or time is up.
fn change_until_there(a: &mut Side, b: &mut Side, change: impl Fn(&mut Side)) {
    for _ in 0..3 * LARGE_BYTES / 50_000 {
        change(a);
        step(a, b);
        if b.has(b"large") {
            return;
        }
    }
    panic!("it never arrives: {:?}", a.link.counters());
}

#[test]
fn a_value_that_is_touched_all_the_time_arrives_with_its_last_touch() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", LARGE_BYTES);
    change_until_there(&mut a, &mut b, |a| a.touch(b"large", 60_000));
    assert_eq!(a.link.counters().records_aborted, 0);
    talk(&mut a, &mut b);
    assert_eq!(a.version_of(b"large"), b.version_of(b"large"));
    assert!(a.link.is_drained());
}

#[test]
fn a_value_that_is_replaced_all_the_time_arrives_and_so_does_the_last_one() {
    let (mut a, mut b) = connected_pair();
    change_until_there(&mut a, &mut b, |a| a.set(b"large", LARGE_BYTES));
    a.set(b"large", 5);
    talk(&mut a, &mut b);
    assert_eq!(a.version_of(b"large"), b.version_of(b"large"));
}

/// The sync sends the end mark only when the partner has the value it deferred.
fn opens_with_the_value(change: impl Fn(&mut Side)) {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"large", LARGE_BYTES);
    connect(&mut a, &mut b);
    let mut aborted = 0;
    for _ in 0..1000 {
        let sent = step(&mut a, &mut b);
        aborted += sent.iter().filter(|name| *name == "abort").count();
        if a.link.is_up() {
            change(&mut a);
        }
        if b.events().contains(&LinkEvent::PartnerSyncDone) {
            assert!(b.has(b"large"), "opened without it");
            assert!(aborted <= 1, "{aborted}");
            return;
        }
    }
    panic!("the sync never ends");
}

#[test]
fn a_sync_does_not_end_before_a_value_that_is_touched_all_the_time() {
    opens_with_the_value(|a| a.touch(b"large", 60_000));
}

#[test]
fn a_sync_does_not_end_before_a_value_that_is_replaced_all_the_time() {
    opens_with_the_value(|a| a.set(b"large", LARGE_BYTES));
}

/// Writes without marking the key dirty, as if the batch with it was dropped.
fn set_unseen(a: &mut Side, value_len: usize) {
    a.put(b"large", value_len, NEVER);
}

#[test]
fn a_sync_ends_even_if_the_change_of_a_deferred_value_was_dropped() {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"large", LARGE_BYTES);
    connect(&mut a, &mut b);
    while a.link.counters().records_sent == 0 {
        step(&mut a, &mut b);
    }
    set_unseen(&mut a, LARGE_BYTES);
    talk(&mut a, &mut b);
    assert!(b.events().contains(&LinkEvent::PartnerSyncDone));
    assert_eq!(a.version_of(b"large"), b.version_of(b"large"));
    assert!(a.link.is_drained());
}

/// Only the sync sends the new value then, while a transfer of the old one is running.
#[test]
fn a_sync_sends_the_new_value_after_a_transfer_of_the_old_one() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", LARGE_BYTES);
    step(&mut a, &mut b);
    set_unseen(&mut a, 5);
    a.overflow();
    talk(&mut a, &mut b);
    assert_eq!(a.version_of(b"large"), b.version_of(b"large"));
}

/// The partner forgets its deletion when it reads the ack: a last chunk after that would bring the
/// deleted value back until the newest one arrives.
#[test]
fn the_transfer_of_a_replaced_value_ends_once_the_partner_has_deleted_the_key() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", LARGE_BYTES);
    step(&mut a, &mut b);
    b.now.wall_ms += 5;
    b.delete(b"large");
    let deletion = b.transmit(1000);
    a.received(&deletion).unwrap();
    a.set(b"large", LARGE_BYTES);
    let ack = names(&a.transmit(100_000));
    assert_eq!(ack[..3], ["abort", "acks", "start"]);
}
