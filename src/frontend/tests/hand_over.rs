//! Statistics are printed when the link knows of all changes that were made before.
//!
//! A `set` and `stats replication` in one packet were one turn, and a turn passes its changes to
//! the link at its end: the node said that its partner lacked nothing. Whoever stopped the node
//! because of that lost the write.

use super::dispatch::Frontend;
use super::flow::Flow;
use super::output::Output;
use super::test_support::{Harness, TestControl, packet};
use crate::auth::Access;
use crate::command::CommandContext;
use crate::config::Protocol;
use crate::limits::TURN_REQUESTS;
use crate::store::StoreConfig;

/// How the turns of one client stop, and what each of them answers.
fn turns(input: &[u8]) -> Vec<(Flow, Vec<u8>)> {
    turns_with(input, |_, out| out.bytes.clone())
}

/// How the turns of one client stop, and something else of each.
fn turns_with<T>(input: &[u8], seen: impl Fn(&CommandContext<'_>, &Output) -> T) -> Vec<(Flow, T)> {
    let harness = Harness::new(&StoreConfig {
        replicated: true,
        ..StoreConfig::of_a_test()
    });
    let mut frontend = Frontend::new(Protocol::Auto, &Access::default());
    let mut turns = Vec::new();
    harness.run_script(input, &[], |shown, ctx, out| {
        let ran = frontend.run(shown, ctx, out, &TestControl::default(), TURN_REQUESTS);
        turns.push((ran.1, seen(ctx, out)));
        ran
    });
    turns
}

/// The changes are handed over by whoever runs the turn when the turn has ended.
fn assert_hands_over_first(changes: &[u8], statistics: &[u8]) {
    let alone = turns(statistics);
    let all = turns(&[changes, statistics].concat());
    let shown = changes.escape_ascii();
    let ((_, answer), before) = all.split_last().unwrap();
    // Statistics have a turn of their own.
    assert_eq!(answer, &alone[0].1, "{shown}");
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
    let set = packet(0x01, &[0; 8], b"k", b"v");
    let quiet = packet(0x11, &[0; 8], b"k", b"v");
    let flush = packet(0x08, &[], b"", b"");
    for change in [set, quiet, flush] {
        for key in ["", "replication"] {
            assert_hands_over_first(&change, &packet(0x10, &[], key.as_bytes(), b""));
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

/// What follows a value of more than one frame, such as the removal of a session's lock, runs once
/// the partner has that value.
#[test]
fn nothing_follows_a_large_value_in_its_turn() {
    let value = "v".repeat(100_000);
    let script = format!(
        "set a 0 0 100000\r\n{value}\r\nset b 0 0 100000 noreply\r\n{value}\r\nset c 0 0 1\r\nc\r\n\
         append a 0 0 1\r\na\r\ngat 1000 a c b\r\ndelete a\r\n"
    );
    let changes = |ctx: &CommandContext<'_>, _: &Output| (ctx.op.dirty.len(), ctx.op.large.len());
    let turns = turns_with(script.as_bytes(), changes);
    let expected = [
        (Flow::HandOver, (1, 1)),
        (Flow::HandOver, (1, 1)),
        (Flow::HandOver, (2, 1)),
        (Flow::HandOver, (3, 2)),
        (Flow::NeedMore, (1, 0)),
    ];
    assert_eq!(turns, expected);
}
