//! Random changes while the other node does not hear of them, and a sync.

use proptest::prelude::*;

use super::*;

/// What happens to one key on one side while the other does not hear of it.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(usize),
    Touch(u64),
    Delete,
    Expire,
}

fn change() -> impl Strategy<Value = (bool, u8, u64, Change)> {
    let change = prop_oneof![
        4 => (1..200usize).prop_map(Change::Set),
        1 => (60_000..200_000usize).prop_map(Change::Set),
        2 => (10_000..90_000u64).prop_map(Change::Touch),
        3 => Just(Change::Delete),
        1 => Just(Change::Expire),
    ];
    (any::<bool>(), 0..40u8, 0..3u64, change)
}

fn apply(side: &mut Side, key: &[u8], change: Change) -> Vec<u64> {
    let soon_ms = side.now.boot_ms + 100;
    let mut context = OpContext::at(side.now);
    match change {
        Change::Set(len) => return side.put(key, len, NEVER).dirty,
        Change::Expire => return side.put(key, 1, soon_ms).dirty,
        Change::Touch(ms) => {
            let touch = Action::Touch(side.now.boot_ms + ms);
            side.store.update(key, &mut context, |_| (touch, ()));
        }
        Change::Delete => {
            side.store
                .update(key, &mut context, |_| (Action::Remove, ()));
        }
    }
    context.dirty
}

/// The highest version of a key on either side, and whether it is a live item.
fn winner(sides: [&Side; 2], key: &[u8]) -> Option<(Version, bool)> {
    let entry = |side: &Side| side.store.entry(side.store.slot_of(key));
    let entries = sides.map(entry).into_iter().flatten();
    entries
        .map(|item| {
            let lives = !item.is_tombstone() && !item.is_expired(sides[0].now);
            (item.version(), lives)
        })
        .max()
}

fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(settings())]

    /// The link is cut, or it is up and all changes are dropped. The nodes have different numbers
    /// of shards.
    #[test]
    fn whatever_changed_both_nodes_end_with_the_highest_versions(
        before in prop::collection::vec(change(), 0..60),
        changes in prop::collection::vec(change(), 0..60),
        is_cut in any::<bool>(),
    ) {
        let (mut a, mut b) = (side(0), side_of(1, 512 << 20, 8 << 20));
        let key_of = |key: u8| format!("key{key}").into_bytes();
        let change_all = |a: &mut Side, b: &mut Side, changes: &[(bool, u8, u64, Change)]| {
            let mut dropped = [BucketSet::default(), BucketSet::default()];
            for &(at_b, key, ms, change) in changes {
                let side = if at_b { &mut *b } else { &mut *a };
                side.now.wall_ms += ms;
                let dirty = apply(side, &key_of(key), change);
                dropped[usize::from(at_b)].extend(dirty);
            }
            dropped
        };
        change_all(&mut a, &mut b, &before);
        reconnect(&mut a, &mut b);
        assert_synced(&a, &b);
        if is_cut {
            cut(&mut a, &mut b);
        }
        let dropped = change_all(&mut a, &mut b, &changes);
        for side in [&mut a, &mut b] {
            side.now.boot_ms += 200;
        }
        let winners: Vec<_> = (0..40).map(|key| winner([&a, &b], &key_of(key))).collect();
        if is_cut {
            reconnect(&mut a, &mut b);
        } else {
            a.link.overflowed_in(&dropped[0]);
            b.link.overflowed_in(&dropped[1]);
            settle(&mut a, &mut b);
        }
        for side in [&a, &b] {
            side.store.expire(side.now, |_| {});
        }
        settle(&mut a, &mut b);
        for (key, winner) in winners.iter().enumerate() {
            let held = [&a, &b].map(|side| {
                let version = side.version_of(&key_of(key as u8));
                version.filter(|_| side.has(&key_of(key as u8)))
            });
            let wanted = winner.filter(|(_, lives)| *lives).map(|(version, _)| version);
            prop_assert_eq!(held, [wanted; 2], "key {}", key);
        }
        assert_synced(&a, &b);
    }
}
