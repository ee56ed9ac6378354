//! The lift: everything that a node has written in this life gets later timestamps, once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const KEYS: usize = 12;

/// What the partner's clock had reached when it last saw an earlier life of this node.
fn until_then() -> Timestamp {
    Timestamp::from_raw((START.wall_ms + 3_600_000) << 12 | 1)
}

fn node() -> Store {
    replicated(64 * MEBIBYTE)
}

/// Begins as the link does, which gives itself a timestamp for its hello before.
fn begin(store: &Store, until: Timestamp, partner_wall_ms: u64, now: Now) -> Option<Lift> {
    store.hybrid_clock().next(now);
    store.begin_lift(until, partner_wall_ms)
}

fn finish(store: &Store, lift: &mut Lift) {
    while !store.lift_step(lift, 7) {}
}

fn version_of(store: &Store, key: &[u8]) -> Version {
    store.held(key).expect("an entry").version()
}

#[test]
fn the_first_timestamp_of_a_life_is_lifted_just_above_the_clock_of_the_life_before() {
    let store = node();
    let mut context = OpContext::at(START);
    let own_cas = ItemHead {
        cas: Some(77),
        ..until(START.boot_ms + 5000)
    };
    store.put_with(b"first", b"v", &own_cas, &mut context);
    store.put(b"touched", b"v", NEVER, &mut context);
    store.touch(b"touched", START.boot_ms + 9000, &mut context);
    store.remove(b"deleted", &mut context);
    store.put(b"flushed", b"v", NEVER, &mut context);
    let before = [b"first" as &[u8], b"touched", b"deleted"].map(|key| version_of(&store, key));
    let mut later = OpContext::at(after(START, 10));
    assert!(store.flush_before(START.wall_ms - 50));
    let watermark = store.flush_watermark();
    let mut lift = begin(&store, until_then(), 0, later.now).unwrap();
    assert!(store.put(b"meanwhile", b"v", NEVER, &mut later) > Some(until_then()));
    let meanwhile = version_of(&store, b"meanwhile");
    finish(&store, &mut lift);

    let lifted = [b"first" as &[u8], b"touched", b"deleted"].map(|key| version_of(&store, key));
    assert_eq!(lifted[0].timestamp.ticks(), until_then().ticks() + 1);
    let ticks = lifted[0].timestamp.ticks() - before[0].timestamp.ticks();
    for (lifted, before) in lifted.iter().zip(before) {
        assert_eq!(lifted.timestamp, before.timestamp.plus_ticks(ticks));
    }
    assert_eq!(lifted[1].touched, before[1].touched.plus_ticks(ticks));
    assert_eq!(lifted[0].touched, Timestamp::ZERO, "it was not touched");
    assert_eq!(version_of(&store, b"meanwhile"), meanwhile);
    assert!(meanwhile.timestamp > lifted[1].touched);
    assert_eq!(store.flush_watermark(), watermark.plus_ticks(ticks));
    let first = store.held(b"first").unwrap();
    assert_eq!(first.cas(), 77);
    assert_eq!(first.deadline_ms(), START.boot_ms + 5000);
    assert_eq!(lift.entries(), 4);
    store.audit(later.now);
}

#[test]
fn a_flush_of_this_life_is_lifted_above_the_life_before_and_kills_nothing_that_came_after_it() {
    let store = node();
    let mut context = OpContext::at(START);
    store.put(b"dead", b"v", NEVER, &mut context);
    store.flush(&mut context);
    store.put(b"live", b"v", NEVER, &mut context);
    let mut lift = begin(&store, until_then(), 0, START).unwrap();
    let dead = store.held(b"dead").unwrap();
    while !store.lift_step(&mut lift, 1) {
        assert!(!store.is_live(&dead, START));
        assert!(store.get(b"live", &mut context).is_ok());
    }
    assert_eq!(store.get(b"dead", &mut context), Err(Miss::Flushed));
    assert!(store.flush_watermark() > until_then());
    assert!(version_of(&store, b"live").timestamp > store.flush_watermark());
}

#[test]
fn a_node_that_is_not_behind_lifts_nothing() {
    let store = node();
    let mut context = OpContext::at(START);
    store.put(b"key", b"v", NEVER, &mut context);
    let before_start = Timestamp::at_wall_ms(START.wall_ms - 1);
    assert!(begin(&store, before_start, START.wall_ms, START).is_none());
    assert!(begin(&node(), before_start, START.wall_ms, START).is_none());
}

#[test]
fn a_clock_that_was_never_set_is_lifted_to_the_partners_wall_clock() {
    let store = node();
    let unset = Now {
        wall_ms: 60,
        ..START
    };
    let written = store.put(b"key", b"v", NEVER, &mut OpContext::at(unset));
    assert_eq!(written.unwrap().wall_ms(), 60);
    let mut lift = begin(&store, Timestamp::ZERO, START.wall_ms, unset).unwrap();
    finish(&store, &mut lift);
    let lifted = version_of(&store, b"key").timestamp.wall_ms();
    let expected = START.wall_ms - 1..=START.wall_ms;
    assert!(expected.contains(&lifted), "{lifted}");
}

/// A wall clock that is set back while the node is alone: the distance of the wall clocks at the
/// end is not the one at which the item was written.
/// Regression: a node that started with a clock that was never set, and had it set while it served
/// alone, lifted everything by the distance from 2020. Its clock was then years ahead, and its
/// partner refused it until it was restarted.
#[test]
fn what_was_written_after_the_clock_was_set_is_not_lifted() {
    let store = node();
    let unset = Now::of(START.boot_ms, 0);
    let mut context = OpContext::at(unset);
    store.put(b"before", b"v", NEVER, &mut context);
    store.put(b"rewritten", b"v", NEVER, &mut context);
    store.put(b"touched", b"v", NEVER, &mut context);
    let is_set = Now::of(START.boot_ms + 9000, until_then().wall_ms() + 60_000);
    let mut context = OpContext::at(is_set);
    store.put(b"after", b"v", NEVER, &mut context);
    store.put(b"rewritten", b"w", NEVER, &mut context);
    store.touch(b"touched", START.boot_ms + 90_000, &mut context);
    let keys = [b"after" as &[u8], b"rewritten"];
    let kept = keys.map(|key| version_of(&store, key));
    let touched = version_of(&store, b"touched").touched;
    let mut lift = begin(&store, until_then(), is_set.wall_ms, is_set).unwrap();
    finish(&store, &mut lift);

    assert_eq!(keys.map(|key| version_of(&store, key)), kept);
    assert_eq!(version_of(&store, b"touched").touched, touched);
    for key in [b"before" as &[u8], b"touched"] {
        let timestamp = version_of(&store, key).timestamp;
        assert!(timestamp > until_then() && timestamp < kept[0].timestamp);
    }
    assert!(store.hybrid_clock().highest().wall_ms() < is_set.wall_ms + 1000);
}

/// Regression: such a flush was lifted to the end of the leap, where it would have killed what the
/// partner's clients wrote after that moment.
#[test]
fn a_flush_to_a_moment_in_the_leap_kills_what_came_before_and_nothing_else() {
    let store = node();
    let mut context = OpContext::at(Now::of(START.boot_ms, 0));
    store.put(b"before", b"v", NEVER, &mut context);
    let is_set = Now::of(START.boot_ms + 9000, until_then().wall_ms() + 60_000);
    store.put(b"after", b"v", NEVER, &mut OpContext::at(is_set));
    assert!(store.flush_before(until_then().wall_ms() + 30_000));
    let watermark = store.flush_watermark();
    let mut lift = begin(&store, until_then(), is_set.wall_ms, is_set).unwrap();
    finish(&store, &mut lift);
    assert_eq!(store.flush_watermark(), watermark);
    assert_eq!(store.get_at(b"before", is_set), Err(Miss::Flushed));
    assert!(store.get_at(b"after", is_set).is_ok());
}

/// There is no room for it: the clock was set to a time before the end of the life before.
#[test]
fn what_was_written_after_the_clock_was_set_stays_above_what_came_before() {
    let store = node();
    let mut context = OpContext::at(Now::of(START.boot_ms, 0));
    store.put(b"before", b"v", NEVER, &mut context);
    let is_set = Now::of(START.boot_ms + 9000, until_then().wall_ms() - 60_000);
    store.put(b"after", b"v", NEVER, &mut OpContext::at(is_set));
    let mut lift = begin(&store, until_then(), 0, is_set).unwrap();
    finish(&store, &mut lift);
    let [before, after] = [b"before" as &[u8], b"after"].map(|key| version_of(&store, key));
    assert!(until_then() < before.timestamp && before < after);
    let ahead_ms = after.timestamp.wall_ms() - until_then().wall_ms();
    assert!(
        ahead_ms < 1000,
        "and not by the years that the clock was behind: {ahead_ms}"
    );
}

#[test]
fn a_wall_clock_that_was_set_back_lifts_nothing_into_the_future() {
    let store = node();
    store.put(b"key", b"v", NEVER, &mut OpContext::at(START));
    let set_back = Now::of(START.boot_ms + 600_000, START.wall_ms - 3_600_000);
    let partner_wall_ms = START.wall_ms + 600_000;
    let mut lift = begin(&store, Timestamp::ZERO, partner_wall_ms, set_back).unwrap();
    finish(&store, &mut lift);
    assert!(version_of(&store, b"key").timestamp.wall_ms() <= partner_wall_ms);
}

/// What a client or the clock does with one key.
#[derive(Clone, Copy, Debug)]
enum Op {
    Set(usize, Option<u64>),
    Touch(usize, u64),
    Remove(usize),
    Flush,
    /// Time passes, and what has expired is removed.
    Expire(u64),
    /// The lift visits so many entries.
    Step(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..KEYS;
    prop_oneof![
        4 => (key.clone(), prop::option::of(1..40_000u64)).prop_map(|(key, ttl)| Op::Set(key, ttl)),
        3 => (key.clone(), 1..40_000u64).prop_map(|(key, ttl)| Op::Touch(key, ttl)),
        2 => key.prop_map(Op::Remove),
        1 => Just(Op::Flush),
        2 => (1..30_000u64).prop_map(Op::Expire),
        4 => (1..80usize).prop_map(Op::Step),
    ]
}

/// A store, and the version that each entry will have at the end of the lift.
struct Play {
    store: Store,
    now: Now,
    lift: Option<Lift>,
    is_over: bool,
    versions: BTreeMap<usize, Version>,
}

impl Play {
    fn run(&mut self, op: Op) {
        let mut context = OpContext::at(self.now);
        let store = &self.store;
        let deadline_ms = |ttl: u64| self.now.boot_ms + ttl;
        match op {
            Op::Set(key, ttl) => {
                let head = until(ttl.map_or(NEVER, deadline_ms));
                let written = store.put_with(&[b'a' + key as u8], b"v", &head, &mut context);
                self.versions
                    .insert(key, Version::written(written.unwrap()));
            }
            Op::Touch(key, ttl) => {
                let name = [b'a' + key as u8];
                if store.touch(&name, deadline_ms(ttl), &mut context) {
                    let touched = version_of(store, &name).touched;
                    let held = self.versions.get_mut(&key).expect("it is live");
                    held.touched = touched;
                }
            }
            Op::Remove(key) => {
                let name = [b'a' + key as u8];
                store.remove(&name, &mut context);
                self.versions.insert(key, version_of(store, &name));
            }
            Op::Flush => {
                store.flush(&mut context);
                self.versions.clear();
            }
            Op::Expire(ms) => {
                self.now = after(self.now, ms);
                store.expire(self.now, |context| context.dirty.clear());
            }
            Op::Step(entries) => {
                if let Some(lift) = self.lift.as_mut().filter(|_| !self.is_over) {
                    self.is_over = store.lift_step(lift, entries);
                }
            }
        }
    }

    fn begin(&mut self) {
        let lift = begin(&self.store, until_then(), 0, self.now).expect("the clock is behind");
        for version in self.versions.values_mut() {
            *version = lift.lifts_to(*version);
        }
        self.lift = Some(lift);
    }

    /// Every entry that a flush has not invalidated is the one that is expected.
    fn check(&self) {
        let store = &self.store;
        for key in 0..KEYS {
            let held = store.held(&[b'a' + key as u8]);
            let held = held.filter(|item| item.timestamp() >= store.flush_watermark());
            let version = held.map(|item| item.version());
            assert_eq!(version, self.versions.get(&key).copied(), "{key}");
        }
        let mut versions = self.versions.values();
        assert!(versions.all(|version| version.timestamp > until_then()));
        store.audit(self.now);
    }
}

proptest! {
    #[test]
    fn whatever_clients_do_during_a_lift_every_entry_is_lifted_once(
        before in prop::collection::vec(op(), 1..40),
        during in prop::collection::vec(op(), 1..60),
    ) {
        let mut play = Play {
            store: replicated(MEBIBYTE),
            now: START,
            lift: None,
            is_over: false,
            versions: BTreeMap::new(),
        };
        // A life that begins with a timestamp.
        play.run(Op::Set(0, None));
        before.into_iter().for_each(|op| play.run(op));
        let flushed = play.store.flush_watermark();
        play.begin();
        during.into_iter().for_each(|op| play.run(op));
        while !play.is_over {
            play.run(Op::Step(100));
        }
        play.check();
        let watermark = play.store.flush_watermark();
        prop_assert!(flushed == Timestamp::ZERO || watermark > until_then());
    }
}
