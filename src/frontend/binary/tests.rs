//! The binary protocol without its socket: the replies do not depend on how the input is cut.

use super::*;
use crate::frontend::test_support::{Harness, TestControl, packet};
use crate::limits::INCOMING_BYTES_MIN;
use crate::store::StoreConfig;

/// Runs `input`, passed in pieces that end at `cuts`; returns the replies and how it stopped.
fn run_script(input: &[u8], cuts: &[usize], requests_max: u32) -> (Vec<u8>, Flow) {
    let mut frontend = BinaryFrontend::default();
    let harness = Harness::new(&StoreConfig::of_a_test());
    harness.run_script(input, cuts, |shown, ctx, out| {
        frontend.run(shown, ctx, out, &TestControl::default(), requests_max)
    })
}

/// A little of everything; values below, at and above what is received into its item.
fn script() -> Vec<u8> {
    let mut script = Vec::new();
    for len in [0, 1, INCOMING_BYTES_MIN - 1, INCOMING_BYTES_MIN, 3000] {
        script.extend(packet(0x01, &[0; 8], b"key", &vec![0x80; len]));
        script.extend(packet(0x19, &[], b"key", &vec![b'a'; len]));
        script.extend(packet(0x0d, &[], b"key", &[]));
    }
    script.extend(packet(0x1b, &[0; 4], b"", &[0x80; 50]));
    script.extend(packet(0x21, &[], b"PLAIN", b"\0u\0p"));
    script.extend(packet(0x10, &[], b"", &[]));
    script.extend(packet(0x10, &[], b"rese", &[]));
    script.extend(packet(0x05, &[0; 20], b"n", &[]));
    script.extend(packet(0x0a, &[], b"", &[]));
    script
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    let script = script();
    let (whole, _) = run_script(&script, &[], 1000);
    assert!(whole.len() > 10_000);
    for cut in 0..script.len() {
        assert!(run_script(&script, &[cut], 1000).0 == whole, "cut at {cut}");
    }
    for piece in [1, 7, 1000] {
        let cuts: Vec<usize> = (1..script.len()).step_by(piece).collect();
        let (replies, _) = run_script(&script, &cuts, 1000);
        assert!(replies == whole, "pieces of {piece}");
    }
}

#[test]
fn a_turn_that_stops_after_each_request_changes_nothing() {
    let script = script();
    assert_eq!(run_script(&script, &[], 1), run_script(&script, &[], 1000));
}

#[test]
fn each_statistic_is_a_packet_and_an_empty_one_ends_them() {
    let (replies, _) = run_script(&packet(0x10, &[], b"", &[]), &[], 10);
    let parts: Vec<&[u8]> = vec![b"pid1", b"wordswith a blank", b""];
    let mut expected = Vec::new();
    for (body, key_len) in parts.iter().zip([3, 5, 0]) {
        let mut header = packet(0x10, &[], &[], &[]);
        (header[0], header[3], header[11]) = (0x81, key_len, body.len() as u8);
        expected.extend([&header, *body].concat());
    }
    assert_eq!(replies, expected);
}

#[test]
fn what_follows_a_quit_or_a_broken_packet_is_not_executed() {
    let noop = packet(0x0a, &[], b"", &[]);
    for (last, replies, how) in [
        (packet(0x07, &[], b"", &[]), 1, Flow::Quit),
        (packet(0x17, &[], b"", &[]), 0, Flow::Quit),
        (packet(0x00, &[], b"", &[]), 1, Flow::Close),
        (b"version\r\n".to_vec(), 0, Flow::Close),
    ] {
        let (said, flow) = run_script(&[last, noop.clone()].concat(), &[], 10);
        assert_eq!(flow, how);
        let magic = said.first().map_or(0, |byte| usize::from(*byte == 0x81));
        assert_eq!(magic, replies, "{}", said.escape_ascii());
    }
}
