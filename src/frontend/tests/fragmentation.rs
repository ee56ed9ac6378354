//! However a client's bytes are cut, it gets the same replies.

use proptest::prelude::*;

use super::flow::Flow;
use super::test_support::{Harness, TestControl};
use super::text::TextFrontend;
use crate::limits::{SCRATCH_BYTES, TURN_OUTPUT_BYTES};
use crate::store::StoreConfig;

/// Lengths on both sides of every length at which something else is done.
const EDGES: [usize; 7] = [0, 1 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 100_000];

fn harness() -> Harness {
    Harness::new(&StoreConfig {
        item_bytes_max: 70_000,
        ..StoreConfig::of_a_test()
    })
}

/// What one client is answered, as its connection shows the bytes, cut in `pieces` of these
/// lengths (over and over). Also how often its turn ended before its bytes did.
fn replies(harness: &Harness, bytes: &[u8], pieces: &[usize]) -> (Vec<u8>, u32) {
    let mut frontend = TextFrontend::default();
    let ends = pieces.iter().cycle().scan(0, |end, piece| {
        *end += piece;
        Some(*end)
    });
    let cuts: Vec<usize> = ends.take_while(|end| *end < bytes.len()).collect();
    let mut yields = 0;
    let (answered, _) = harness.run_script(bytes, &cuts, |shown, ctx, out| {
        let ran = frontend.run(shown, ctx, out, &TestControl::default(), 100);
        let is_bounded = out.len() < TURN_OUTPUT_BYTES + 80_000;
        assert!(is_bounded, "a turn answers only so much");
        if let Flow::Yield | Flow::HandOver = ran.1 {
            assert!(ran.0 < shown.len(), "a turn that ends too early goes on");
            yields += 1;
        }
        ran
    });
    (answered, yields)
}

fn value(len: usize) -> Vec<u8> {
    (0..len).map(|at| b"abc\r\n xyz"[at % 9]).collect()
}

fn storage(verb: &str, key: u8, len: usize, end: &str, noreply: bool) -> Vec<u8> {
    let noreply = if noreply { " noreply" } else { "" };
    let line = format!("{verb} key{key} 5 0 {len}{noreply}\r\n");
    [line.as_bytes(), &value(len), end.as_bytes()].concat()
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        2 => 0usize..40,
        3 => (prop::sample::select(&EDGES[..]), 0usize..8)
            .prop_map(|(edge, off)| (edge + off).saturating_sub(4)),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let verb = prop::sample::select(vec!["set", "set", "add", "replace", "append", "prepend"]);
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("xx")];
    let line = prop::sample::select(vec![
        "get key1\r\n",
        "gets key1 key2 nothing key3\r\n",
        "gat 100 key1 key2\n",
        "delete key2\r\n",
        "incr key1 5\r\n",
        "touch key3 0 noreply\r\n",
        "no such command\r\n",
        "set key1 0 0 -1\r\n",
        "version\r\n",
        "\r\n",
    ]);
    prop_oneof![
        5 => (verb, 0u8..4, length(), end, any::<bool>())
            .prop_map(|(verb, key, len, end, noreply)| storage(verb, key, len, end, noreply)),
        4 => line.prop_map(|line| line.as_bytes().to_vec()),
        1 => (1usize..4000).prop_map(|keys| {
            format!("get{}\r\n", " key1 k key2 key3".repeat(keys / 4)).into_bytes()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_of_the_same_bytes_is_answered_alike(
        requests in prop::collection::vec(request(), 1..12),
        pieces in prop::collection::vec(
            prop_oneof![1usize..20, 1000usize..5000, Just(SCRATCH_BYTES)], 1..6),
    ) {
        let bytes = requests.concat();
        let (whole, _) = replies(&harness(), &bytes, &[bytes.len().max(1)]);
        let (cut, _) = replies(&harness(), &bytes, &pieces);
        prop_assert!(whole == cut, "{} and {} bytes", whole.len(), cut.len());
    }
}

#[test]
fn a_pipeline_cut_at_any_byte_has_the_same_replies() {
    let bytes = [
        storage("set", 1, 3, "\r\n", false),
        b"get key1 key2\r\n".to_vec(),
        storage("append", 1, 1025, "\r\n", false),
        storage("set", 2, 20, "xx", true),
        b"gats 10 key1\ndelete key1 0\r\nincr key1 1\r\nget".to_vec(),
    ]
    .concat();
    let whole = replies(&harness(), &bytes, &[bytes.len()]);
    for cut in 1..bytes.len() {
        // CAS uniques are equal, too: both stores take their timestamps from the same clock.
        let replies = replies(&harness(), &bytes, &[cut, bytes.len()]);
        assert_eq!(replies, whole, "cut at {cut}");
    }
    assert_eq!(replies(&harness(), &bytes, &[1]), whole);
}

/// A megabyte of keys that are not there fills no output: one turn looked for all of them and kept
/// the worker's other clients waiting for tens of milliseconds.
#[test]
fn a_long_line_of_misses_is_served_in_steps() {
    let line = format!("gat 100{}\r\n", " k".repeat(30_000));
    let (answered, yields) = replies(&harness(), line.as_bytes(), &[line.len()]);
    assert_eq!(answered, b"END\r\n");
    assert!(yields >= 3, "{yields} steps");
}

/// `mg` with `b` and `N` showed the key it had just created as it is, as memcached does: a line
/// end in it cut the reply in two, and whoever could choose keys could forge replies for others.
#[test]
fn a_key_that_would_end_the_line_is_shown_in_base64() {
    let bytes = b"mg YQpi b k N30\r\nmg YQpi b k\r\nmg YSBi b k N30\r\nmg YWI= b k N30\r\n";
    let (answered, _) = replies(&harness(), bytes, &[bytes.len()]);
    let expected = "HD kYQpi b W\r\nHD kYQpi b Z\r\nHD kYSBi b W\r\nHD kab W\r\n";
    assert_eq!(String::from_utf8_lossy(&answered), expected);
}

/// While memory is scarce a value is received into buffers that grow with it.
#[test]
fn a_value_in_parts_is_stored_whole_while_memory_is_scarce() {
    let value: Vec<u8> = (0..60_000).map(|at| (at % 251) as u8).collect();
    let mut bytes = Vec::new();
    for (head, len) in [
        ("set k 0 0", 60_000),
        ("append k 0 0", 5000),
        ("ms k", 60_000),
    ] {
        bytes.extend_from_slice(format!("{head} {len}\r\n").as_bytes());
        bytes.extend_from_slice(&value[..len]);
        bytes.extend_from_slice(b"\r\nget k\r\n");
    }
    let ample = harness();
    let expected = replies(&ample, &bytes, &[bytes.len()]).0;
    for piece in [999, 4096, 16 << 10] {
        let scarce = harness();
        let mut others = scarce.store.unfinished_input();
        others.hold(40 << 20);
        assert_eq!(replies(&scarce, &bytes, &[piece]).0, expected, "{piece}");
    }
}

/// Who gives up a value is answered as memcached answers without memory, and keeps what was there.
#[test]
fn giving_up_a_value_keeps_the_stored_item() {
    let harness = harness();
    let mut frontend = TextFrontend::default();
    let mut answered = Vec::new();
    let input = b"set k 0 0 3\r\nold\r\nset k 0 0 5000\r\nnew";
    harness.turn(&mut answered, |ctx, output| {
        let ran = frontend.run(input, ctx, output, &TestControl::default(), 100);
        assert!(frontend.give_up_value(output) && !frontend.give_up_value(output));
        ran
    });
    harness.turn(&mut answered, |ctx, output| {
        frontend.run(b"get k\r\n", ctx, output, &TestControl::default(), 100)
    });
    let expected = "STORED\r\nSERVER_ERROR out of memory storing object\r\n\
                    VALUE k 0 3\r\nold\r\nEND\r\n";
    assert_eq!(String::from_utf8_lossy(&answered), expected);
    assert_eq!(harness.store.memory().unfinished_bytes, 0);
}
