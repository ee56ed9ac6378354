//! Requests whose work no reply shows use up a turn like replies do.
//!
//! A turn counted requests and bytes to send only. 1024 `append`s of one byte to an item of 20 MB
//! copied 20 GB in one turn, and the worker's other clients waited for five seconds; 300 times
//! `stats items` took a third of one.

use super::binary::BinaryFrontend;
use super::dispatch::Frontend;
use super::flow::Flow;
use super::test_support::{Harness, TestControl, packet};
use super::text::TextFrontend;
use crate::limits::{COPIED_BYTES_PER_SENT, TURN_OUTPUT_BYTES, TURN_REQUESTS};
use crate::store::StoreConfig;

const REQUESTS: usize = 40;
const VALUE_BYTES: usize = 500_000;

/// How many turns it takes to carry out all of `bytes`.
fn turns(harness: &Harness, mut frontend: Frontend, bytes: &[u8]) -> usize {
    let mut turns = 0;
    let (_, flow) = harness.run_script(bytes, &[], |shown, ctx, out| {
        turns += 1;
        let ran = frontend.run(shown, ctx, out, &TestControl::default(), TURN_REQUESTS);
        let is_all = ran.0 == shown.len() || ran.1 != Flow::NeedMore;
        assert!(is_all, "not all is carried out");
        ran
    });
    assert_eq!(flow, Flow::NeedMore);
    turns
}

fn text() -> Frontend {
    Frontend::Text(TextFrontend::default())
}

/// A harness with an item `big` of so many bytes.
fn harness(value_bytes: usize) -> Harness {
    let harness = Harness::new(&StoreConfig::of_a_test());
    let line = format!("set big 0 0 {value_bytes}\r\n");
    let bytes = [line.as_bytes(), &vec![b'v'; value_bytes], b"\r\n"].concat();
    assert_eq!(turns(&harness, text(), &bytes), 1);
    harness
}

fn binary() -> Frontend {
    Frontend::Binary(BinaryFrontend::default())
}

#[test]
fn a_turn_copies_only_so_much_of_large_items() {
    let copied = REQUESTS * VALUE_BYTES;
    let expected = copied / (TURN_OUTPUT_BYTES * COPIED_BYTES_PER_SENT);
    // The last copy of a turn may take it beyond its budget.
    let good = expected / 2..=REQUESTS;
    for request in [
        "append big 0 0 1 noreply\r\nx\r\n",
        "prepend big 0 0 1 noreply\r\nx\r\n",
        "ms big 1 MA q\r\nx\r\n",
        "ms big 1 MP q\r\nx\r\n",
        "md big I q\r\n",
    ] {
        let bytes = request.repeat(REQUESTS);
        let turns = turns(&harness(VALUE_BYTES), text(), bytes.as_bytes());
        assert!(good.contains(&turns), "{turns}: {request}");
    }
    // `appendq` and `prependq`.
    for opcode in [0x19, 0x1a] {
        let bytes = packet(opcode, &[], b"big", b"x").repeat(REQUESTS);
        let turns = turns(&harness(VALUE_BYTES), binary(), &bytes);
        assert!(good.contains(&turns), "{turns}: {opcode}");
    }
}

#[test]
fn a_turn_appends_to_small_items_as_often_as_it_reads_them() {
    let bytes = "append big 0 0 1 noreply\r\nx\r\n".repeat(TURN_REQUESTS as usize);
    assert_eq!(turns(&harness(10), text(), bytes.as_bytes()), 1);
}

#[test]
fn statistics_and_administrative_commands_end_a_turn() {
    for request in ["stats items\r\n", "stats\r\n", "verbosity 1\r\n"] {
        let bytes = request.repeat(REQUESTS);
        let turns = turns(&harness(0), text(), bytes.as_bytes());
        assert_eq!(turns, REQUESTS, "{request}");
    }
    let stats = packet(0x10, &[], b"", b"").repeat(REQUESTS);
    assert_eq!(turns(&harness(0), binary(), &stats), REQUESTS);
}
