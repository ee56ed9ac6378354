//! Whether a key may be answered for without the partner.

use super::*;

#[test]
fn a_node_without_a_partner_consults_nobody() {
    let store = store(64 * MEBIBYTE);
    assert_eq!(store.consult(b"k"), Consult::Nobody);
    assert!(store.is_complete());
}

#[test]
fn a_bucket_is_consulted_until_it_is_known() {
    let store = replicated(64 * MEBIBYTE);
    let slot = store.slot_of(b"k");
    let bucket = usize::from(bucket_of(slot));
    store.link_begins();
    assert_eq!(store.consult(b"k"), Consult::Partner(slot));
    store.bucket_is_known(bucket);
    assert_eq!(store.consult(b"k"), Consult::Nobody);
    store.all_is_known();
    // All others were forgotten with the end of the sync.
    let mut words = vec![0; limits::BUCKETS / 64];
    words[bucket / 64] = 1 << (bucket % 64);
    store.buckets_are_unknown(words.into_iter());
    assert_eq!(store.consult(b"k"), Consult::Partner(slot));
    let others = (0..200u8).filter(|key| *key != b'k');
    let others = others.filter(|key| store.consult(&[*key]) != Consult::Nobody);
    assert_eq!(others.count(), 0);
    store.link_ends();
    assert_eq!(store.consult(b"k"), Consult::Nobody);
}

#[test]
fn an_incomplete_node_gives_no_answer_without_a_link() {
    let store = replicated(64 * MEBIBYTE);
    store.begin_incomplete();
    assert_eq!(store.consult(b"k"), Consult::NoAnswer);
    store.link_begins();
    assert_ne!(store.consult(b"k"), Consult::NoAnswer);
    store.link_ends();
    assert_eq!(store.consult(b"k"), Consult::NoAnswer);
    store.complete();
    assert_eq!(store.consult(b"k"), Consult::Nobody);
}

#[test]
fn what_is_settled_is_not_wanted_again() {
    let mut consultation = Consultation::default();
    consultation.wanted.extend([9, 3]);
    consultation.settle();
    consultation.wanted.push(5);
    assert!(consultation.is_settled(3) && consultation.is_settled(9));
    assert!(consultation.has_settled());
    assert!(!consultation.is_settled(5));
    consultation.settle();
    assert!(consultation.is_settled(5) && consultation.is_settled(9));
    consultation.end();
    assert!(!consultation.is_settled(5) && !consultation.has_settled());
}
