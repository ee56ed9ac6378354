//! What a sync of a million items costs, against sending them.

use super::*;
use crate::store::{Origin, RecordHead};

const ITEMS: u64 = 1_000_000;
/// What a copy would send, if each had a value of this length. What the nodes compare does not
/// depend on it, so that those of the test are short.
const VALUE_BYTES: u64 = 1024;
const COPY_BYTES: u64 = ITEMS * VALUE_BYTES;

/// Stores a record of the partner.
fn store_record(side: &Side, key: &[u8], timestamp: u64) {
    let mut context = OpContext::at(side.now);
    let head = RecordHead {
        version: Version::written(Timestamp::from_raw(timestamp)),
        ..RecordHead::default()
    };
    let partial = side
        .store
        .partial_item(key, &head, 8, Origin::Live, &mut context);
    let mut partial = partial.unwrap();
    partial.push(&timestamp.to_be_bytes());
    side.store.apply(partial, Origin::Live, &mut context);
}

/// Bytes that both send until they are quiet.
fn moved_bytes(a: &mut Side, b: &mut Side) -> u64 {
    let mut moved = 0;
    loop {
        let (to_b, to_a) = (a.transmit(100_000), b.transmit(100_000));
        moved += (to_a.len() + to_b.len()) as u64;
        let computes = [&*a, &*b].map(|side| side.link.session.sync.is_unfinished());
        if to_a.is_empty() && to_b.is_empty() && computes == [false; 2] {
            return moved;
        }
        b.received(&to_b).unwrap();
        a.received(&to_a).unwrap();
    }
}

#[test]
fn a_cut_costs_little_more_than_what_changed_in_it() {
    let (mut a, mut b) = (side_of(0, 1 << 30, 1 << 20), side_of(1, 2 << 30, 1 << 20));
    for n in 0..ITEMS {
        for side in [&a, &b] {
            store_record(side, &n.to_be_bytes(), n + 1);
        }
    }
    connect(&mut a, &mut b);
    let unchanged = moved_bytes(&mut a, &mut b);
    assert!(
        unchanged < COPY_BYTES / 500,
        "{unchanged} bytes for nothing"
    );
    assert_eq!(a.link.counters().records_sent, 0);

    cut(&mut a, &mut b);
    for n in (0..ITEMS).step_by(1000) {
        a.set(&n.to_be_bytes(), VALUE_BYTES as usize);
    }
    connect(&mut a, &mut b);
    let moved = moved_bytes(&mut a, &mut b);
    assert!(moved < COPY_BYTES / 50, "{moved} bytes for a thousandth");
    let sent = [&a, &b].map(|side| side.link.counters().records_sent);
    assert_eq!(sent, [ITEMS / 1000, 0]);
    assert!(sums(&a) == sums(&b));
    assert!(a.link.is_drained() && b.link.is_drained());
}
