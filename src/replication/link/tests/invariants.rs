//! A link whose own state is wrong.

use super::*;
use crate::replication::link::in_flight::{NO_POSITION, Sent, SentKind, Traffic};
use crate::replication::wire::Lane;

type Damage = fn(&mut Side);

/// In a release build each of these was noticed by nobody: keys were never sent, items counted as
/// confirmed that the partner did not have, or a stopping node waited for an ack of nothing.
const DAMAGES: [(&str, Damage); 5] = [
    ("a frame in flight without bytes", |side| {
        let version = side.version_of(b"key").unwrap();
        let sent = Sent {
            slot: 0,
            version,
            bytes: 0,
            traffic: Traffic::Small,
            kind: SentKind::Record,
            position: NO_POSITION,
        };
        side.link.session.in_flight.push(sent, Now::default());
    }),
    ("a key in the set and not in the queue", |side| {
        side.link.session.dirty.lose_order();
    }),
    ("a flush that only the partner has", |side| {
        side.link.session.watermark_sent = side.version_of(b"key").unwrap().latest();
    }),
    ("a transfer that has ended", |side| {
        let item = side.entry(b"key").unwrap();
        let (version, len) = (item.version(), item.value().len());
        let transfer = Outgoing::begun(side.store.slot_of(b"key"), item, version, len);
        side.link.session.outgoing[Lane::Live as usize] = Some(transfer);
    }),
    ("a transfer of no sync", |side| {
        let item = side.entry(b"key").unwrap();
        let version = item.version();
        let transfer = Outgoing::begun(side.store.slot_of(b"key"), item, version, 0);
        side.link.session.outgoing[Lane::Sync as usize] = Some(transfer);
    }),
];

#[test]
fn a_link_whose_state_is_wrong_ends_and_the_next_one_brings_what_it_had_not_sent() {
    for (damage, apply) in DAMAGES {
        let (mut a, mut b) = connected_pair();
        a.set(b"key", 10);
        talk(&mut a, &mut b);
        a.set(b"unsent", 10);
        apply(&mut a);
        let mut out = b"before".to_vec();
        let ended = a.link.transmit(&a.store, a.now, &mut out, 0);
        let is_noticed = matches!(ended, Err(LinkError::State(_)));
        assert!(is_noticed, "{damage}: {ended:?}");
        assert_eq!(out, b"before", "{damage}");
        assert_eq!(a.link.counters().link_faults, 1, "{damage}");
        assert!(a.transmit(1000).is_empty(), "{damage}");
        // Both nodes see the connection closed, and connect again.
        a.link.disconnected(&a.store, a.now);
        b.link.disconnected(&b.store, b.now);
        meet(&mut a, &mut b);
        assert!(b.has(b"unsent"), "{damage}");
        assert!(a.link.is_drained(), "{damage}");
    }
}

/// A record below the watermark is not sent but confirmed, because the partner's flush removes it.
/// Found after the sending only, a wrong watermark left items confirmed that the partner lacked.
#[test]
fn a_wrong_watermark_confirms_nothing() {
    let (mut a, _) = connected_pair();
    a.set(b"unsent", 10);
    a.link.session.watermark_sent = a.store.hybrid_clock().next(a.now);
    let ended = a.link.transmit(&a.store, a.now, &mut Vec::new(), 1000);
    assert!(matches!(ended, Err(LinkError::State(_))), "{ended:?}");
    let entry = a.entry(b"unsent").unwrap();
    assert!(!entry.is_confirmed());
}
