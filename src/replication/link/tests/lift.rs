//! A node that restarted alone with its clock behind, and meets its partner again.

use super::*;
use crate::limits::SILENCE_MS;

const HOUR_MS: u64 = 3_600_000;

impl Side {
    /// A new life, empty, whose wall clock is this far ahead of what it was.
    fn restart(&mut self, wall_step_ms: i64) {
        let config = LinkConfig {
            incarnation: self.link.config.incarnation + 100,
            ..self.link.config.clone()
        };
        let fresh = side(config.side);
        self.store = fresh.store;
        self.link = Link::new(config);
        self.now.wall_ms = self.now.wall_ms.saturating_add_signed(wall_step_ms);
    }

    fn cut(&mut self) {
        self.link.disconnected(&self.store, self.now);
    }

    fn tick(&mut self) {
        self.now.boot_ms += 1;
        self.link.tick(&self.store, self.now).unwrap();
    }
}

/// A pair that has the keys `old`, `deleted` and `flushed`, cut, of which side 0 has restarted.
fn restarted_alone(wall_step_ms: i64) -> (Side, Side) {
    let (mut a, mut b) = connected_pair();
    for key in [b"old" as &[u8], b"deleted", b"flushed"] {
        b.set(key, 5);
    }
    talk(&mut a, &mut b);
    b.cut();
    a.restart(wall_step_ms);
    (a, b)
}

fn is_lifted(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Lifted { .. })
}

/// Connects, and lets both tick until neither has anything to say.
fn heal(a: &mut Side, b: &mut Side) {
    connect(a, b);
    for _ in 0..1000 {
        a.tick();
        b.tick();
        talk(a, b);
        if a.link.is_up() && b.link.is_up() {
            return talk(a, b);
        }
    }
    panic!("the link does not come up");
}

/// Regression: a node that restarted alone with its clock behind confirmed writes, deletions and
/// flushes, and lost them all to older values as soon as it had its partner back.
#[test]
fn what_a_node_with_its_clock_behind_did_alone_stands_on_both() {
    for wall_step_ms in [-(HOUR_MS as i64), i64::MIN / 2] {
        let (mut a, mut b) = restarted_alone(wall_step_ms);
        a.store.flush(&mut OpContext::at(a.now));
        a.set(b"old", 7);
        a.delete(b"deleted");
        heal(&mut a, &mut b);
        for node in [&a, &b] {
            let old = node.entry(b"old").unwrap();
            assert_eq!(old.value().len(), 7);
            assert!(!node.has(b"deleted"));
            let flushed = node.entry(b"flushed");
            assert!(flushed.is_none_or(|item| !node.store.is_live(&item, node.now)));
        }
        assert_eq!(a.version_of(b"old"), b.version_of(b"old"));
        assert_eq!(a.store.flush_watermark(), b.store.flush_watermark());
        assert!(a.events().iter().any(is_lifted));
    }
}

/// What a client wrote to the survivor after the cut is later than what another wrote to the
/// restarted node before it, whatever the clock of that node says.
#[test]
fn the_wall_clocks_order_what_both_wrote_during_the_cut() {
    let (mut a, mut b) = restarted_alone(-(HOUR_MS as i64));
    a.set(b"old", 7);
    b.now.wall_ms += 60_000;
    a.now.wall_ms += 60_000;
    b.set(b"old", 9);
    b.now.wall_ms += 60_000;
    a.now.wall_ms += 60_000;
    heal(&mut a, &mut b);
    for node in [&a, &b] {
        let old = node.entry(b"old").unwrap();
        assert_eq!(old.value().len(), 9);
    }
}

#[test]
fn nothing_flushed_by_the_partner_before_the_cut_takes_what_was_written_since() {
    let (mut a, mut b) = connected_pair();
    b.store.flush(&mut OpContext::at(b.now));
    talk(&mut a, &mut b);
    b.cut();
    a.restart(-(HOUR_MS as i64));
    a.set(b"new", 5);
    heal(&mut a, &mut b);
    assert!(a.has(b"new") && b.has(b"new"));
    let new = a.entry(b"new").unwrap();
    assert!(a.store.is_live(&new, a.now));
}

/// A lift takes many turns, and the link is not up before it is over.
#[test]
fn a_lift_that_takes_longer_than_a_silence_keeps_the_connection() {
    let (mut a, mut b) = restarted_alone(-(HOUR_MS as i64));
    a.set(b"old", 7);
    meet(&mut a, &mut b);
    assert!(a.link.lift().is_some());
    assert!(!a.link.is_up() && !b.link.is_up());
    // As many turns as a lift of ten million items takes, in which this one makes no progress.
    let lift = a.link.life.lift.take();
    for _ in 0..2 * SILENCE_MS {
        a.tick();
        b.tick();
        talk(&mut a, &mut b);
        assert!(!a.link.is_up() && !b.link.is_up());
    }
    a.link.life.lift = lift;
    while a.link.lift().is_some() {
        a.tick();
    }
    talk(&mut a, &mut b);
    assert!(a.link.is_up() && b.link.is_up());
    assert!(b.has(b"old"));
}

#[test]
fn a_lift_goes_on_while_the_link_is_cut_and_is_not_done_again() {
    let (mut a, mut b) = restarted_alone(-(HOUR_MS as i64));
    a.set(b"old", 7);
    let written = a.version_of(b"old").unwrap();
    meet(&mut a, &mut b);
    a.tick();
    let lift = a.link.lift().expect("not over after one turn");
    let distance_ms = lift.distance_ms();
    a.cut();
    b.cut();
    for _ in 0..1000 {
        a.tick();
    }
    assert!(a.link.lift().is_none());
    let lifted = a.version_of(b"old").unwrap();
    let moved_ms = lifted.timestamp.wall_ms() - written.timestamp.wall_ms();
    assert!(moved_ms.abs_diff(distance_ms) <= 1);
    // The partner's memory of the life before is as it was, and changes nothing.
    heal(&mut a, &mut b);
    assert_eq!(a.version_of(b"old"), Some(lifted));
    assert_eq!(b.version_of(b"old"), Some(lifted));
}

#[test]
fn a_cut_in_the_middle_of_a_lift_lets_the_next_handshake_wait_for_it() {
    let (mut a, mut b) = restarted_alone(-(HOUR_MS as i64));
    a.set(b"old", 7);
    for _ in 0..2 {
        meet(&mut a, &mut b);
        assert!(a.link.lift().is_some());
        assert!(!a.link.is_up() && !b.link.is_up());
        a.cut();
        b.cut();
    }
    heal(&mut a, &mut b);
    assert_eq!(a.version_of(b"old"), b.version_of(b"old"));
}

#[test]
fn a_node_that_restarts_twice_alone_is_told_of_its_first_life() {
    let (mut a, mut b) = restarted_alone(-(HOUR_MS as i64));
    a.set(b"old", 6);
    a.restart(-(HOUR_MS as i64));
    a.set(b"old", 7);
    heal(&mut a, &mut b);
    let old = b.entry(b"old").unwrap();
    assert_eq!(old.value().len(), 7);
}

/// Neither remembers a link, so nothing is lifted: the later timestamp wins, as in any partition.
#[test]
fn two_nodes_that_both_restarted_alone_lift_nothing() {
    let (mut a, mut b) = restarted_alone(-(HOUR_MS as i64));
    b.restart(0);
    a.set(b"old", 7);
    b.set(b"old", 9);
    let (of_a, of_b) = (a.version_of(b"old"), b.version_of(b"old"));
    heal(&mut a, &mut b);
    assert!(of_b > of_a);
    assert_eq!((a.version_of(b"old"), b.version_of(b"old")), (of_b, of_b));
}

/// The survivor has no earlier life, and the same life of the partner comes back.
#[test]
fn a_cut_without_a_restart_lifts_nothing() {
    let (mut a, mut b) = connected_pair();
    a.cut();
    b.cut();
    a.now.wall_ms -= HOUR_MS;
    a.set(b"key", 5);
    let written = a.version_of(b"key");
    heal(&mut a, &mut b);
    assert_eq!(a.version_of(b"key"), written);
    assert!(!a.events().iter().any(is_lifted));
}

/// The survivor has not noticed the end of the link when the new connection comes.
#[test]
fn a_connection_that_replaces_a_link_tells_of_that_link() {
    let (mut a, mut b) = connected_pair();
    b.set(b"old", 5);
    talk(&mut a, &mut b);
    a.restart(-(HOUR_MS as i64));
    a.set(b"old", 7);
    // `heal` connects side 1 anew, which still takes the old connection for open.
    heal(&mut a, &mut b);
    let old = b.entry(b"old").unwrap();
    assert_eq!(old.value().len(), 7);
}
