//! What two links say to each other, step by step: greeting, refusal, order, windows, silence.

use super::*;
use crate::limits::{LIVE_WINDOW_BYTES, PASS_WINDOW_BYTES, STAMP_AHEAD_MAX_MS};
use crate::replication::wire::{Frame, Lane, WireError};
use crate::store::{Action, Batch, ItemHead, NEVER, StoreConfig};

const NOW: Now = Now {
    boot_ms: 50_000,
    wall_ms: 200_000_000_000,
};

struct Side {
    link: Link,
    store: Store,
    now: Now,
}

fn side(side: u8) -> Side {
    let config = StoreConfig {
        limit_bytes: 64 << 20,
        item_bytes_max: 8 << 20,
        evicting: true,
        hash_secret: *b"the pair's hash ",
        side,
        replicated: true,
    };
    Side {
        link: Link::new(link_config(side)),
        store: Store::new(&config),
        now: NOW,
    }
}

fn link_config(side: u8) -> LinkConfig {
    let node_id = format!("n{}", side + 1);
    LinkConfig {
        side,
        node_id,
        incarnation: u64::from(side),
        policy: "nodes=n1,n2".into(),
    }
}

impl Side {
    /// Writes and hands the key over, as a worker does.
    fn set(&mut self, key: &[u8], value_len: usize) {
        let mut batch = Batch::at(self.now);
        let head = ItemHead {
            deadline_ms: NEVER,
            ..ItemHead::default()
        };
        let draft = self.store.draft(key, &head, value_len).unwrap();
        self.store
            .update(key, &mut batch, |_| (Action::Put(draft), ()));
        self.link.hand_over(&batch.dirty);
    }

    fn delete(&mut self, key: &[u8]) {
        let mut batch = Batch::at(self.now);
        self.store.update(key, &mut batch, |_| (Action::Remove, ()));
        self.link.hand_over(&batch.dirty);
    }

    fn has(&self, key: &[u8]) -> bool {
        self.store
            .entry(self.store.slot_of(key))
            .is_some_and(|item| !item.is_tombstone())
    }

    fn transmit(&mut self, budget_bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.link
            .transmit(&self.store, self.now, &mut out, budget_bytes);
        out
    }

    fn received(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.link.received(bytes, &self.store, self.now)
    }

    fn events(&mut self) -> Vec<LinkEvent> {
        std::iter::from_fn(|| self.link.take_event()).collect()
    }
}

fn connect(a: &mut Side, b: &mut Side) {
    a.link.connected(a.now, &a.store);
    b.link.connected(b.now, &b.store);
}

/// Carries bytes to and fro until nobody has anything to say.
fn talk(a: &mut Side, b: &mut Side) {
    for _ in 0..10_000 {
        let (to_b, to_a) = (a.transmit(100_000), b.transmit(100_000));
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
        b.received(&to_b).unwrap();
        a.received(&to_a).unwrap();
    }
    panic!("they never stop");
}

fn connected_pair() -> (Side, Side) {
    let (mut a, mut b) = (side(0), side(1));
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    assert!(a.link.is_up() && b.link.is_up());
    (a, b)
}

/// The names of frames in a stream, for tests of their order.
fn names(stream: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut framer = Framer::default();
    let fed = framer.feed(stream, |frame| {
        names.push(match frame {
            Frame::Record(record) if record.tombstone => "tombstone".to_owned(),
            Frame::Record(record) => String::from_utf8_lossy(record.key).into_owned(),
            Frame::PieceStart { .. } => "start".to_owned(),
            Frame::Piece { .. } => "piece".to_owned(),
            Frame::PieceAbort { .. } => "abort".to_owned(),
            Frame::Verdicts(_) => "verdicts".to_owned(),
            Frame::Flush { .. } => "flush".to_owned(),
            other => format!("{other:?}"),
        });
        Ok::<_, WireError>(())
    });
    fed.unwrap();
    names
}

#[test]
fn a_link_up_copies_both_tables_and_tells_both_nodes() {
    let (mut a, mut b) = (side(0), side(1));
    a.set(b"of a", 10);
    b.set(b"of b", 200_000);
    b.delete(b"gone");
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    for node in [&mut a, &mut b] {
        assert!(node.has(b"of a") && node.has(b"of b"));
        assert_eq!(node.store.memory().tombstones, 0);
        let events = node.events();
        assert!(matches!(events[0], LinkEvent::Up { .. }));
        assert!(events.contains(&LinkEvent::OwnPassDone));
        assert!(events.contains(&LinkEvent::PartnerPassDone));
        assert!(node.link.is_drained());
        assert_eq!(node.link.counters().unconfirmed_bytes, 0);
    }
}

#[test]
fn both_absorb_the_others_clock_and_floor_before_any_record() {
    let (mut a, mut b) = (side(0), side(1));
    b.now.wall_ms += 30_000;
    b.set(b"key", 1);
    let floor = b.store.flush(&mut Batch::at(b.now));
    connect(&mut a, &mut b);
    let hello = b.transmit(1000);
    a.received(&hello).unwrap();
    assert!(a.store.stamps().next(a.now) > floor);
    assert_eq!(a.store.floor(), floor);
    assert_eq!(a.events(), [LinkEvent::FlushRaised { floor }]);
}

/// Connects two nodes that do not fit; gives back the reasons, own and partner's, at `a`.
fn refusal(mut a: Side, mut b: Side) -> (RefusalKind, Vec<LinkEvent>, Vec<LinkEvent>) {
    connect(&mut a, &mut b);
    let (to_b, to_a) = (a.transmit(1000), b.transmit(1000));
    let at_a = a.received(&to_a);
    let at_b = b.received(&to_b);
    let (farewell_a, farewell_b) = (a.transmit(1000), b.transmit(1000));
    let kind = match at_a.clone().and(at_b.clone()) {
        Err(LinkError::Refused(reason)) => reason.kind,
        other => panic!("not refused: {other:?}"),
    };
    // Whoever did not refuse itself hears why.
    if at_a.is_ok() {
        assert!(matches!(
            a.received(&farewell_b),
            Err(LinkError::RefusedByPartner(_))
        ));
    }
    if at_b.is_ok() {
        assert!(matches!(
            b.received(&farewell_a),
            Err(LinkError::RefusedByPartner(_))
        ));
    }
    assert!(!a.link.is_up() && !b.link.is_up());
    assert!(a.transmit(1000).is_empty());
    (kind, a.events(), b.events())
}

#[test]
fn nodes_that_do_not_fit_refuse_each_other_with_a_reason_on_both_sides() {
    let equal_sides = (side(1), side(1));
    let mut policy = (side(0), side(1));
    policy.1.link = Link::new(LinkConfig {
        policy: "nodes=n1,n3".into(),
        ..link_config(1)
    });
    let mut clock = (side(0), side(1));
    clock.1.now.wall_ms += STAMP_AHEAD_MAX_MS + 1000;
    for ((a, b), wanted) in [
        (equal_sides, RefusalKind::EqualSides),
        (policy, RefusalKind::PolicyDiffers),
        (clock, RefusalKind::ClockAhead),
    ] {
        let (kind, at_a, at_b) = refusal(a, b);
        assert_eq!(kind, wanted);
        for events in [at_a, at_b] {
            let [LinkEvent::Refused { reason, .. }] = &events[..] else {
                panic!("{wanted:?}: {events:?}");
            };
            assert_eq!(reason.kind, wanted);
            assert!(reason.reason.len() > 20);
        }
    }
}

#[test]
fn a_partner_of_another_wire_version_is_refused() {
    let mut a = side(0);
    a.link.connected(a.now, &a.store);
    let mut hello = Vec::new();
    let newer = crate::replication::wire::Hello {
        wire_min: 7,
        wire_max: 9,
        side: 1,
        incarnation: 1,
        clock: Stamp::from_raw(1),
        floor: Stamp::ZERO,
        node_id: "",
        policy: "",
    };
    Frame::Hello(newer).encode(&mut hello);
    let refused = a.received(&hello);
    assert!(
        matches!(refused, Err(LinkError::Refused(reason)) if reason.kind == RefusalKind::NoCommonVersion)
    );
}

#[test]
fn a_clock_a_minute_ahead_raises_one_alarm_and_is_absorbed() {
    let (mut a, mut b) = (side(0), side(1));
    b.now.wall_ms += 90_000;
    connect(&mut a, &mut b);
    talk(&mut a, &mut b);
    b.set(b"key", 5);
    talk(&mut a, &mut b);
    let alarms = |events: Vec<LinkEvent>| {
        events
            .iter()
            .filter(|event| matches!(event, LinkEvent::ClockAhead { .. }))
            .count()
    };
    assert_eq!(alarms(a.events()), 1);
    assert_eq!(alarms(b.events()), 0);
    assert!(a.link.counters().stamps_ahead >= 2);
    assert!(a.store.stamps().highest().wall_ms() >= b.now.wall_ms);
}

#[test]
fn frames_before_the_greeting_end_the_link() {
    for frame in [
        Frame::PassEnd,
        Frame::Welcome { wire_version: 0 },
        Frame::Heartbeat,
    ] {
        let mut a = side(0);
        a.link.connected(a.now, &a.store);
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        assert!(
            matches!(a.received(&bytes), Err(LinkError::Protocol(_))),
            "{frame:?}"
        );
        assert!(a.transmit(1000).is_empty());
    }
}

/// Once the partner has its verdict it forgets the deletion; a last piece after that would bring the
/// deleted session back.
#[test]
fn a_transfer_ends_before_the_verdict_on_what_replaced_it() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    let first = a.transmit(1);
    assert_eq!(names(&first), ["start"]);
    b.received(&first).unwrap();
    b.now.wall_ms += 5;
    b.delete(b"large");
    let deletion = b.transmit(1000);
    assert_eq!(names(&deletion), ["verdicts", "tombstone"]);
    a.received(&deletion).unwrap();
    let answer = a.transmit(100_000);
    assert_eq!(names(&answer), ["abort", "verdicts"]);
    b.received(&answer).unwrap();
    talk(&mut a, &mut b);
    assert!(!a.has(b"large") && !b.has(b"large"));
    assert_eq!(b.store.memory().tombstones, 0);
}

#[test]
fn a_local_change_ends_the_transfer_of_its_key() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    let mut stream = a.transmit(1);
    a.delete(b"large");
    stream.extend(a.transmit(100_000));
    assert_eq!(names(&stream), ["start", "abort", "tombstone"]);
    b.received(&stream).unwrap();
    talk(&mut a, &mut b);
    assert_eq!(a.link.counters().records_aborted, 1);
    assert!(!b.has(b"large"));
}

#[test]
fn later_keys_wait_for_a_value_up_to_a_mebibyte_and_overtake_a_larger_one() {
    let (mut a, _) = connected_pair();
    a.set(b"session", 150_000);
    a.set(b"lock", 1);
    assert_eq!(
        names(&a.transmit(1 << 20)),
        ["start", "piece", "piece", "lock"]
    );
    let (mut a, _) = connected_pair();
    a.set(b"huge", 1_500_000);
    a.set(b"lock", 1);
    assert_eq!(names(&a.transmit(1 << 20))[..3], ["start", "lock", "piece"]);
}

#[test]
fn a_flush_is_on_the_wire_before_what_was_written_after_it() {
    let (mut a, mut b) = connected_pair();
    a.set(b"before", 5);
    a.store.flush(&mut Batch::at(a.now));
    a.set(b"after", 5);
    let stream = a.transmit(1000);
    assert_eq!(names(&stream), ["flush", "after"]);
    b.received(&stream).unwrap();
    assert_eq!(b.store.floor(), a.store.floor());
    // It does not come back.
    assert_eq!(names(&b.transmit(1000)), ["verdicts"]);
}

#[test]
fn a_partner_that_answers_nothing_gets_a_window_of_live_bytes_and_no_more() {
    let (mut a, _) = connected_pair();
    for n in 0..9000 {
        a.set(format!("key{n}").as_bytes(), 1000);
    }
    let mut sent = 0;
    for _ in 0..1000 {
        sent += a.transmit(64 * 1024).len();
    }
    assert!(
        sent <= LIVE_WINDOW_BYTES && sent > LIVE_WINDOW_BYTES - 128 * 1024,
        "{sent}"
    );
    assert!(a.link.counters().queue_keys > 0);
}

#[test]
fn a_pass_has_a_window_of_its_own_and_leaves_the_wire_to_live_records() {
    let (mut a, mut b) = (side(0), side(1));
    for n in 0..1000 {
        a.set(format!("key{n}").as_bytes(), 1000);
    }
    connect(&mut a, &mut b);
    for _ in 0..2 {
        let (to_b, to_a) = (a.transmit(1), b.transmit(1));
        a.received(&to_a).unwrap();
        b.received(&to_b).unwrap();
    }
    assert!(a.link.is_up());
    let mut sent = 0;
    for _ in 0..100 {
        sent += a.transmit(64 * 1024).len();
    }
    assert!(
        sent <= PASS_WINDOW_BYTES + 1000 && sent > PASS_WINDOW_BYTES / 2,
        "{sent}"
    );
    a.set(b"live", 10);
    assert_eq!(names(&a.transmit(64 * 1024)), ["live"]);
}

#[test]
fn a_busy_node_still_finishes_its_pass() {
    let (mut a, mut b) = (side(0), side(1));
    for n in 0..300 {
        a.set(format!("old{n}").as_bytes(), 1000);
    }
    connect(&mut a, &mut b);
    let mut written = 0;
    while !b.events().contains(&LinkEvent::PartnerPassDone) {
        // More than the budget, each time.
        for n in 0..100 {
            a.set(format!("new{n}").as_bytes(), 1000);
            written += 1;
        }
        let (to_b, to_a) = (a.transmit(64 * 1024), b.transmit(64 * 1024));
        b.received(&to_b).unwrap();
        a.received(&to_a).unwrap();
        assert!(written < 100_000, "the pass starves");
    }
    assert!(b.has(b"old0") && b.has(b"old299"));
}

#[test]
fn an_overflow_finishes_the_pass_under_way_and_adds_another() {
    let (mut a, mut b) = connected_pair();
    assert_eq!(a.link.counters().pass_sent, 1);
    a.link.overflowed();
    talk(&mut a, &mut b);
    let counters = a.link.counters();
    assert_eq!((counters.pass_sent, counters.queue_overflows), (2, 1));
    assert_eq!(b.link.counters().pass_received, 2);
}

#[test]
fn silence_of_a_second_is_down_unless_it_was_we_who_slept() {
    let (mut a, _b) = connected_pair();
    assert!(a.link.next_tick_ms(a.now) <= HEARTBEAT_MS);
    let mut heartbeats = 0;
    for _ in 0..9 {
        a.now.boot_ms += 100;
        a.link.tick(&a.store, a.now).unwrap();
        heartbeats += names(&a.transmit(1000)).len();
    }
    assert_eq!(heartbeats, 4);
    a.now.boot_ms += 100;
    assert_eq!(a.link.tick(&a.store, a.now), Err(LinkError::Silent));

    let (mut a, mut b) = connected_pair();
    a.now.boot_ms += 30_000;
    a.link.tick(&a.store, a.now).unwrap();
    b.now.boot_ms += 300;
    let alive = b.transmit(1000);
    a.received(&alive).unwrap();
    a.now.boot_ms += 190;
    a.link.tick(&a.store, a.now).unwrap();
}

#[test]
fn a_new_connection_forgets_all_of_the_old_one() {
    let (mut a, mut b) = connected_pair();
    a.set(b"large", 300_000);
    let half = a.transmit(1);
    b.received(&half).unwrap();
    b.received(&[0, 0]).unwrap();
    assert_eq!(a.link.counters().unconfirmed_records, 1);
    // Side 1 hears of the new connection before it misses the old one.
    a.link.disconnected(a.now);
    connect(&mut a, &mut b);
    assert_eq!(a.link.counters().unconfirmed_records, 0);
    talk(&mut a, &mut b);
    assert!(b.has(b"large"));
}

#[test]
fn promotions_reach_the_partner_with_the_next_heartbeat() {
    let (mut a, mut b) = connected_pair();
    a.set(b"hot", 5);
    talk(&mut a, &mut b);
    let slot = a.store.slot_of(b"hot");
    a.link.promote(&[slot]);
    a.now.boot_ms += HEARTBEAT_MS;
    let stream = a.transmit(1000);
    let mut slots = Vec::new();
    let mut framer = Framer::default();
    let fed = framer.feed(&stream, |frame| {
        if let Frame::Promote(promoted) = frame {
            slots.extend(promoted.iter());
        }
        Ok::<_, WireError>(())
    });
    fed.unwrap();
    assert_eq!(slots, [slot]);
    b.received(&stream).unwrap();
}

#[test]
fn a_partner_that_misbehaves_ends_the_link_and_harms_nothing() {
    let piece = Frame::Piece {
        lane: Lane::Live,
        bytes: b"x",
    };
    let mut verdict_on_nothing = Vec::new();
    let mut runs = [(crate::replication::wire::Answer::Applied, 1)].into_iter();
    Frame::encode_verdicts(&mut verdict_on_nothing, || runs.next());
    let mut piece_without_start = Vec::new();
    piece.encode(&mut piece_without_start);
    let giant_length = vec![0xff; 16];
    for bytes in [verdict_on_nothing, piece_without_start, giant_length] {
        let (mut a, _) = connected_pair();
        assert!(a.received(&bytes).is_err());
        assert!(!a.link.is_up());
        assert!(a.transmit(1000).is_empty());
        assert_eq!(a.received(b"more"), Ok(()));
    }
}
