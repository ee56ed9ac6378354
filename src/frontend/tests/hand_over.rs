//! Statistics are printed when the link knows of all changes that were made before.
//!
//! A `set` and `stats replication` in one packet were one turn, and a turn passes its changes to
//! the link at its end: the node said that its partner lacked nothing. Whoever stopped the node
//! because of that lost the write.

use super::dispatch::Frontend;
use super::flow::Flow;
use super::test_support::{Harness, TestControl};
use crate::auth::Access;
use crate::config::Protocol;
use crate::limits::TURN_REQUESTS;
use crate::store::StoreConfig;

/// How the turns of one client stop, and what each of them answers.
fn turns(input: &[u8]) -> Vec<(Flow, Vec<u8>)> {
    let harness = Harness::new(&StoreConfig {
        replicated: true,
        ..StoreConfig::of_a_test()
    });
    let mut frontend = Frontend::new(Protocol::Auto, &Access::default());
    let (mut used, mut turns) = (0, Vec::new());
    loop {
        let mut answered = Vec::new();
        let (taken, flow) = harness.turn(&mut answered, |ctx, out| {
            frontend.run(
                &input[used..],
                ctx,
                out,
                &TestControl::default(),
                TURN_REQUESTS,
            )
        });
        used += taken;
        turns.push((flow, answered));
        match flow {
            Flow::HandOver | Flow::Yield => assert!(taken > 0, "it stands still"),
            _ => return turns,
        }
    }
}

fn packet(opcode: u8, key: &str, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let body = [extras, key.as_bytes(), value].concat();
    let (key_len, extras_len) = (key.len() as u8, extras.len() as u8);
    let head = [
        0x80,
        opcode,
        0,
        key_len,
        extras_len,
        0,
        0,
        0,
        0,
        0,
        0,
        body.len() as u8,
    ];
    [&head[..], &[0; 12], &body].concat()
}

/// The changes are handed over by whoever runs the turn when the turn has ended.
fn assert_hands_over_first(changes: &[u8], statistics: &[u8]) {
    let alone = turns(statistics);
    let all = turns(&[changes, statistics].concat());
    let shown = changes.escape_ascii();
    let (last, before) = all.split_last().unwrap();
    assert_eq!(
        last.1, alone[0].1,
        "{shown}: statistics in a turn of their own"
    );
    let stops: Vec<_> = before.iter().map(|(flow, _)| *flow).collect();
    assert_eq!(stops, [Flow::HandOver], "{shown}");
}

#[test]
fn text_changes_are_handed_over_before_statistics() {
    let large = format!("set large 0 0 100000\r\n{}\r\n", "v".repeat(100_000));
    for change in [
        "set k 0 0 1\r\nv\r\n",
        "set k 0 0 1 noreply\r\nv\r\n",
        "set k 0 0 1\r\n1\r\nget k\r\nincr k 1\r\n",
        "ms k 1\r\nv\r\n",
        "flush_all\r\n",
        "flush_all 1700000000\r\n",
        large.as_str(),
    ] {
        for statistics in ["stats\r\n", "stats replication\r\n", "stats reset\r\n"] {
            assert_hands_over_first(change.as_bytes(), statistics.as_bytes());
        }
    }
}

#[test]
fn binary_changes_are_handed_over_before_statistics() {
    let set = packet(0x01, "k", &[0; 8], b"v");
    let quiet = packet(0x11, "k", &[0; 8], b"v");
    let flush = packet(0x08, "", &[], b"");
    for change in [set, quiet, flush] {
        for key in ["", "replication"] {
            assert_hands_over_first(&change, &packet(0x10, key, &[], b""));
        }
    }
}

/// Nothing is to be handed over: statistics are answered in the same turn.
#[test]
fn reads_do_not_end_the_turn_before_statistics() {
    let bytes = b"get k\r\ntouch k 0\r\nflush_all 1000\r\nstats\r\n";
    let all = turns(bytes);
    assert_eq!(all.len(), 1, "{all:?}");
}
