//! The wire version that two nodes agree on, tried with a version that does not exist yet.

use std::ops::RangeInclusive;

use super::*;

/// A node that speaks these wire versions. All of them look like the present one.
fn speaking(number: u8, wire_versions: RangeInclusive<u16>) -> Side {
    let mut node = side(number);
    node.link.wire_versions = wire_versions;
    node
}

#[test]
fn two_nodes_use_the_highest_version_that_both_speak() {
    for (ours, theirs, wanted) in [(2..=2, 2..=3, 2), (2..=3, 2..=2, 2), (2..=3, 2..=3, 3)] {
        let (mut a, mut b) = (speaking(0, ours), speaking(1, theirs));
        meet(&mut a, &mut b);
        for node in [&mut a, &mut b] {
            assert!(node.link.is_up());
            assert_eq!(node.link.counters().wire_version, Some(wanted));
            node.link.disconnected(&node.store, node.now);
            assert_eq!(node.link.counters().wire_version, None);
        }
    }
}

#[test]
fn nodes_without_a_common_version_refuse_each_other_with_the_reason() {
    for (ours, theirs) in [(2..=2, 3..=3), (3..=3, 2..=2), (2..=2, 1..=1)] {
        let (mut a, mut b) = (speaking(0, ours), speaking(1, theirs.clone()));
        connect(&mut a, &mut b);
        let (to_b, to_a) = (a.transmit(1000), b.transmit(1000));
        for (node, hello) in [(&mut a, to_a), (&mut b, to_b)] {
            let Err(LinkError::Refused(refusal)) = node.received(&hello) else {
                panic!("not refused: {theirs:?}");
            };
            assert_eq!(refusal.kind, RefusalKind::NoCommonVersion);
            let (low, high) = (theirs.start(), theirs.end());
            assert!(refusal.reason.contains(&format!("{low}..={high}")));
            assert!(refusal.reason.contains("upgrade the older one"));
            // The other side is told, too, in case that it did not see why.
            assert!(names(&node.transmit(1000))[0].starts_with("Refuse"));
        }
    }
}

#[test]
fn a_welcome_to_another_version_than_agreed_ends_the_link() {
    let (mut a, b) = (speaking(0, 2..=3), speaking(1, 2..=3));
    a.link.connected(a.now, &a.store);
    let hello = bytes_of(&Frame::Hello(b.link.hello(&b.store, b.now)));
    let welcome = bytes_of(&Frame::Welcome {
        wire_version: 2,
        clock: Timestamp::ZERO,
    });
    let ended = a.received(&[hello, welcome].concat());
    assert!(matches!(ended, Err(LinkError::Protocol(_))));
}
