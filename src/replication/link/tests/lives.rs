//! What the partner has confirmed, when another process of it links.

use super::*;

/// The partner's process ends and another one links, with an empty table.
fn replace(a: &mut Side, b: &mut Side) {
    a.link.disconnected(&a.store, a.now);
    *b = side(1);
    b.link.config.incarnation = 99;
    connect(a, b);
}

/// Until both sides may send records, and before the first is sent. A node that has met its partner
/// for the first time may lift its entries before.
pub(super) fn come_up(a: &mut Side, b: &mut Side) {
    for _ in 0..100 {
        if a.link.is_up() {
            return;
        }
        b.link.tick(&b.store, b.now).unwrap();
        let (to_a, to_b) = (b.transmit(1), a.transmit(1));
        a.received(&to_a).unwrap();
        b.received(&to_b).unwrap();
    }
    panic!("no link");
}

fn unconfirmed(node: &Side) -> u64 {
    let unconfirmed = crate::store::Unreplicated::Unconfirmed;
    node.store.count_unreplicated(unconfirmed, node.now).items
}

/// Regression: what a process of the partner had confirmed counted as confirmed by the next one
/// before that had received anything.
#[test]
fn a_new_process_of_the_partner_has_confirmed_nothing() {
    let (mut a, mut b) = connected_pair();
    for n in 0..20 {
        a.set(format!("key{n}").as_bytes(), 1000);
    }
    talk(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), 0);
    // A link to the same process ends and comes back: what it holds is still known.
    a.link.disconnected(&a.store, a.now);
    b.link.disconnected(&b.store, b.now);
    connect(&mut a, &mut b);
    come_up(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), 0);
    replace(&mut a, &mut b);
    come_up(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), 20);
    talk(&mut a, &mut b);
    assert_eq!(unconfirmed(&a), 0);
}
