//! Commands with an exptime that has passed.
//!
//! It was deleted at once by everything but storage commands. To whoever asked for it next it was
//! as if it had never been there: `get_expired` stood still where memcached counts, `curr_items`
//! fell early, and watchers saw a miss where an item had expired.

use super::test_support::{Harness, TestControl};
use super::text::TextFrontend;
use crate::store::StoreConfig;

/// What each command is answered that gives the item `a` of the value 1 a time that has passed.
const COMMANDS: [(&str, &str); 12] = [
    ("set a 0 -1 1\r\n1\r\n", "STORED\r\n"),
    ("touch a -1\r\n", "TOUCHED\r\n"),
    ("gat -1 a\r\n", "VALUE a 0 1\r\n1\r\nEND\r\n"),
    ("mg a T-1 v\r\n", "VA 1\r\n1\r\n"),
    ("md a I T-1\r\n", "HD\r\n"),
    ("md a x T-1\r\n", "HD\r\n"),
    ("ma a T-1 v\r\n", "VA 1\r\n2\r\n"),
    ("ms a 1 T-1\r\n1\r\n", "HD\r\n"),
    // These make what is missing.
    ("delete a\r\nadd a 0 -1 1\r\n1\r\n", "DELETED\r\nSTORED\r\n"),
    ("delete a\r\nmg a N-1\r\n", "DELETED\r\nHD W\r\n"),
    ("delete a\r\nma a N-1 v\r\n", "DELETED\r\nVA 1\r\n0\r\n"),
    ("delete a\r\nms a 1 MA N-1\r\n1\r\n", "DELETED\r\nHD\r\n"),
];

fn run_script(harness: &Harness, input: &str) -> String {
    let mut frontend = TextFrontend::default();
    let (replies, _) = harness.run_script(input.as_bytes(), &[], |shown, ctx, out| {
        frontend.run(shown, ctx, out, &TestControl::default(), 100)
    });
    String::from_utf8(replies).unwrap()
}

/// The items there are after each command, and how many expired ones a get then meets.
fn after_each(replicated: bool) -> Vec<(&'static str, u64, u64)> {
    let after = |(command, answer): (&'static str, &str)| {
        let harness = Harness::new(&StoreConfig {
            replicated,
            ..StoreConfig::of_a_test()
        });
        assert_eq!(run_script(&harness, "set a 0 0 1\r\n1\r\n"), "STORED\r\n");
        assert_eq!(run_script(&harness, command), answer);
        let items = harness.store.memory().live_items;
        assert_eq!(harness.counters.get_expired.get(), 0, "{command}");
        let answer = run_script(&harness, "get a\r\n");
        assert_eq!(answer, "END\r\n", "after {command}");
        assert_eq!(harness.store.memory().live_items, 0, "after {command}");
        (command, items, harness.counters.get_expired.get())
    };
    COMMANDS.map(after).to_vec()
}

#[test]
fn a_standalone_node_removes_past_expiry_items_lazily() {
    let expected: Vec<_> = COMMANDS.map(|(command, _)| (command, 1, 1)).to_vec();
    assert_eq!(after_each(false), expected);
}

/// Between two nodes a removal is one record.
#[test]
fn a_node_of_a_pair_removes_past_expiry_items_at_once() {
    let expected: Vec<_> = COMMANDS.map(|(command, _)| (command, 0, 0)).to_vec();
    assert_eq!(after_each(true), expected);
}
