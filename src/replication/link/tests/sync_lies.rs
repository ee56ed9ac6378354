//! A partner that does not keep to the rules of the sync ends the link, and costs no memory before.

use super::*;
use crate::limits::{BUCKETS, SYNC_LISTS_MAX};
use crate::replication::wire::{BucketDigest, DigestRuns, SectionWriter};

fn digests(buckets: &[usize], is_last: bool) -> Vec<u8> {
    let mut runs = DigestRuns::default();
    for &bucket in buckets {
        runs.push(bucket, BucketDigest::Sum(7));
    }
    encoded(&runs.frame(is_last))
}

fn list(buckets: &[u16], is_last: bool) -> Vec<u8> {
    let mut writer = SectionWriter::default();
    for &bucket in buckets {
        writer.push(bucket, None, std::iter::empty());
    }
    encoded(&writer.frame(is_last))
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// A node whose link has just come up, and what it sends first if it is asked to.
fn up() -> Side {
    let (mut a, mut b) = (side(0), side(1));
    (0..100).for_each(|n| a.set(format!("key{n}").as_bytes(), 10));
    connect(&mut a, &mut b);
    let (to_b, to_a) = (a.transmit(1), b.transmit(1));
    a.received(&to_a).unwrap();
    b.received(&to_b).unwrap();
    let (to_a, _) = (b.transmit(1), ());
    a.received(&to_a).unwrap();
    assert!(a.link.is_up());
    a
}

fn is_refused(side: &mut Side, bytes: &[u8]) -> bool {
    match side.received(bytes) {
        Err(LinkError::Protocol(_)) => !side.link.is_up(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_that_nobody_asked_for_is_refused() {
    // Before this node has sent digests; and of an end before the last digests.
    assert!(is_refused(&mut up(), &list(&[1], false)));
    let mut a = up();
    a.transmit(1 << 20);
    a.received(&list(&[1], false)).unwrap();
    assert!(is_refused(&mut a, &list(&[1], false)), "twice");
    let mut a = up();
    a.transmit(1 << 20);
    a.received(&list(&[], true)).unwrap();
    assert!(is_refused(&mut a, &list(&[1], false)), "after the last");
    let (mut a, _) = connected_pair();
    assert!(is_refused(&mut a, &list(&[1], false)), "after the sync");
}

#[test]
fn no_more_lists_are_kept_than_may_be_under_way() {
    let mut a = up();
    a.transmit(1 << 20);
    for bucket in 0..SYNC_LISTS_MAX as u16 {
        a.received(&list(&[bucket], false)).unwrap();
    }
    assert!(is_refused(&mut a, &list(&[99], false)));
}

#[test]
fn digests_that_go_back_are_refused() {
    let mut a = up();
    a.received(&digests(&[5, 6], false)).unwrap();
    assert!(is_refused(&mut a, &digests(&[6], false)));
    let mut a = up();
    a.received(&digests(&[5], true)).unwrap();
    assert!(is_refused(&mut a, &digests(&[6], false)));
}

/// A node that believed it would open its port without its partner's table.
#[test]
fn a_sync_that_ends_too_early_is_refused() {
    let end = encoded(&Frame::SyncEnd);
    let done = encoded(&Frame::ListDone);
    assert!(is_refused(&mut up(), &end));
    assert!(is_refused(&mut up(), &done));
    let mut a = up();
    a.received(&digests(&[5], true)).unwrap();
    assert!(is_refused(&mut a, &end), "before the lists were sent");
    let mut a = up();
    a.received(&digests(&[5], true)).unwrap();
    assert!(kinds(&a.transmit(1 << 20)).contains(&"List".to_owned()));
    assert!(is_refused(&mut a, &end), "before the list was answered");
    let mut a = up();
    a.received(&digests(&[5], true)).unwrap();
    a.transmit(1 << 20);
    a.received(&[done.clone(), end].concat()).unwrap();
    assert!(a.events().contains(&LinkEvent::PartnerSyncDone));
    assert!(is_refused(&mut a, &done), "there was one list");
}

/// Digests of all buckets, again and again, and as many overflows: what this node keeps of them has
/// a bound.
#[test]
fn a_flood_of_comparisons_keeps_the_lists_under_way_bounded() {
    let mut a = up();
    let all: Vec<usize> = (0..BUCKETS).collect();
    for buckets in all.chunks(8000) {
        a.received(&digests(buckets, false)).unwrap();
        a.received(&encoded(&Frame::Unsynced(&[255; BUCKETS / 8])))
            .unwrap();
    }
    let mut lists = 0;
    for _ in 0..100 {
        let sent = kinds(&a.transmit(1 << 20));
        lists += sent.iter().filter(|it| *it == "List").count();
    }
    assert!(lists <= SYNC_LISTS_MAX, "{lists}");
}
