//! Requests whose work no reply shows use up a turn like replies do.
//!
//! A turn counted requests and bytes to send only. 1024 `append`s of one byte to an item of 20 MB
//! copied 20 GB in one turn, and the worker's other clients waited for five seconds; 300 times
//! `stats items` took a third of one.

use super::binary::BinaryConversation;
use super::dispatch::Dialogue;
use super::test_support::{Desk, Stage};
use super::text::{Conversation, Stop};
use crate::limits::{COPIED_BYTES_PER_SENT, TURN_OUTPUT_BYTES, TURN_REQUESTS};
use crate::store::StoreConfig;

const REQUESTS: usize = 40;
const VALUE_BYTES: usize = 500_000;

/// How many turns it takes to carry out all of `bytes`.
fn turns(stage: &Stage, mut dialogue: Dialogue, bytes: &[u8]) -> usize {
    let (mut used, mut turns) = (0, 0);
    loop {
        turns += 1;
        let (taken, stop) = stage.turn(&mut Vec::new(), |turn, out| {
            dialogue.run(&bytes[used..], turn, out, &Desk::default(), TURN_REQUESTS)
        });
        used += taken;
        match stop {
            Stop::Yield | Stop::HandOver => assert!(taken > 0, "it stands still"),
            Stop::NeedMore => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(used, bytes.len());
    turns
}

fn text() -> Dialogue {
    Dialogue::Text(Conversation::default())
}

/// A stage with an item `big` of so many bytes.
fn stage(value_bytes: usize) -> Stage {
    let stage = Stage::new(&StoreConfig::of_a_test());
    let line = format!("set big 0 0 {value_bytes}\r\n");
    let bytes = [line.as_bytes(), &vec![b'v'; value_bytes], b"\r\n"].concat();
    assert_eq!(turns(&stage, text(), &bytes), 1);
    stage
}

/// `appendq` or `prependq` of one byte to `big`.
fn quiet_join(opcode: u8) -> Vec<u8> {
    let mut packet = vec![0x80, opcode, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4];
    packet.extend_from_slice(&[0; 12]);
    packet.extend_from_slice(b"bigx");
    packet
}

#[test]
fn a_turn_copies_only_so_much_of_large_items() {
    let copied = REQUESTS * VALUE_BYTES;
    let expected = copied / (TURN_OUTPUT_BYTES * COPIED_BYTES_PER_SENT);
    for request in [
        "append big 0 0 1 noreply\r\nx\r\n",
        "prepend big 0 0 1 noreply\r\nx\r\n",
        "ms big 1 MA q\r\nx\r\n",
        "ms big 1 MP q\r\nx\r\n",
        "md big I q\r\n",
    ] {
        let bytes = request.repeat(REQUESTS);
        let turns = turns(&stage(VALUE_BYTES), text(), bytes.as_bytes());
        // The last copy of a turn may take it beyond its budget.
        assert!(
            (expected / 2..=REQUESTS).contains(&turns),
            "{turns}: {request}"
        );
    }
    for opcode in [0x19, 0x1a] {
        let binary = Dialogue::Binary(BinaryConversation::default());
        let turns = turns(
            &stage(VALUE_BYTES),
            binary,
            &quiet_join(opcode).repeat(REQUESTS),
        );
        assert!(
            (expected / 2..=REQUESTS).contains(&turns),
            "{turns}: {opcode}"
        );
    }
}

#[test]
fn a_turn_appends_to_small_items_as_often_as_it_reads_them() {
    let bytes = "append big 0 0 1 noreply\r\nx\r\n".repeat(TURN_REQUESTS as usize);
    assert_eq!(turns(&stage(10), text(), bytes.as_bytes()), 1);
}

#[test]
fn statistics_and_what_looks_after_the_server_end_a_turn() {
    for request in ["stats items\r\n", "stats\r\n", "verbosity 1\r\n"] {
        let bytes = request.repeat(REQUESTS);
        assert_eq!(
            turns(&stage(0), text(), bytes.as_bytes()),
            REQUESTS,
            "{request}"
        );
    }
    let mut stat = vec![0x80, 0x10];
    stat.resize(24, 0);
    let binary = Dialogue::Binary(BinaryConversation::default());
    assert_eq!(turns(&stage(0), binary, &stat.repeat(REQUESTS)), REQUESTS);
}
