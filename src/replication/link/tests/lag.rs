//! Up to which moment the partner has confirmed every change.

use super::*;

/// A tick this much later, and the moment up to which everything is confirmed.
fn look(side: &mut Side, later_ms: u64) -> Option<u64> {
    side.now.boot_ms += later_ms;
    side.link.tick(&side.store, side.now).unwrap();
    side.link.counters().confirmed_up_to_ms
}

#[test]
fn what_was_written_before_is_confirmed_with_the_last_of_it() {
    for large in [false, true] {
        let (mut a, mut b) = connected_pair();
        look(&mut a, 1);
        a.set(b"key", if large { 300_000 } else { 10 });
        let before = look(&mut a, 10);
        let written_ms = a.now.boot_ms;
        // The key is taken from the queue, and all frames but the last are confirmed.
        let mut frames = Vec::new();
        for _ in 0..20 {
            let sent = a.transmit(1);
            frames.extend((!sent.is_empty()).then_some(sent));
        }
        look(&mut a, 10);
        for (nth, frame) in frames.iter().enumerate() {
            let confirmed = look(&mut a, 1);
            assert!(confirmed.is_none_or(|ms| ms < written_ms), "{large} {nth}");
            b.received(frame).unwrap();
            let acks = b.transmit(1 << 20);
            a.received(&acks).unwrap();
        }
        talk(&mut a, &mut b);
        let confirmed = (0..4).filter_map(|_| look(&mut a, 1)).last();
        assert!(
            confirmed > before && confirmed >= Some(written_ms),
            "{large}"
        );
    }
}

#[test]
fn a_steady_stream_of_writes_is_no_lag() {
    let (mut a, mut b) = connected_pair();
    let mut behind_ms = Vec::new();
    for n in 0..200 {
        a.set(format!("key{n}").as_bytes(), 100);
        if n % 20 == 0 {
            a.set(format!("large{n}").as_bytes(), 200_000);
        }
        exchange(&mut a, &mut b, 100_000);
        b.now.boot_ms += 5;
        let confirmed = look(&mut a, 5);
        behind_ms.push(confirmed.map_or(0, |ms| a.now.boot_ms - ms));
    }
    assert!(behind_ms.iter().all(|&ms| ms < 200), "{behind_ms:?}");
}
