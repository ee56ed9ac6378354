//! Authentication, with input that is cut at any byte.

use std::fs;

use super::dispatch::Frontend;
use super::flow::Flow;
use super::test_support::{Harness, TestControl, packet};
use crate::auth::Access;
use crate::config::{Config, Protocol};
use crate::store::StoreConfig;

/// One that knows `foo` with `bar`, in text with `-Y` or binary with `-S`.
fn guarded(in_text: bool) -> TestControl {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "foo:bar\n").unwrap();
    let mut config = Config::default();
    if in_text {
        config.client.auth_file = Some(path);
    } else {
        config.client.sasl = true;
        config.sasl.password_file = Some(path);
    }
    TestControl(Access::load(&config).unwrap())
}

/// What a play came to: the replies, whether it was closed, attempts and those that failed.
type Played = (Vec<u8>, Flow, u64, u64);

fn run_script(server: &TestControl, input: &[u8], cuts: &[usize], requests_max: u32) -> Played {
    let harness = Harness::new(&StoreConfig::of_a_test());
    let mut frontend = Frontend::new(Protocol::Auto, &server.0);
    let (replies, flow) = harness.run_script(input, cuts, |shown, ctx, out| {
        frontend.run(shown, ctx, out, server, requests_max)
    });
    let counters = &harness.counters;
    let (attempts, failures) = (counters.auth_cmds.get(), counters.auth_errors.get());
    (replies, flow, attempts, failures)
}

fn same_however_cut(server: &TestControl, script: &[u8]) -> Played {
    let whole = run_script(server, script, &[], 1000);
    for cut in 0..script.len() {
        let is_same = run_script(server, script, &[cut], 1000) == whole;
        assert!(is_same, "cut at {cut}");
    }
    let all: Vec<usize> = (1..script.len()).collect();
    let is_same = run_script(server, script, &all, 1000) == whole;
    assert!(is_same, "byte by byte");
    assert!(run_script(server, script, &[], 1) == whole, "one at a time");
    whole
}

#[test]
fn a_text_connection_authenticates_with_a_token() {
    let script = b"get foo\r\nset foo 0 0 7\r\nfoo bab\r\nset foo 0 0 2147483646\r\n\
        set a b c 6 noreply\r\nfoobar\r\nset foo 0 0 7\r\nfoo barxxset x 0 0 7\r\nfoo bar\r\n\
        set foo 0 0 7\r\nfoo bab\r\nget foo\r\nbogus\r\n";
    let (replies, flow, cmds, errors) = same_however_cut(&guarded(true), script);
    let expected = "CLIENT_ERROR unauthenticated\r\n\
        CLIENT_ERROR authentication failure\r\n\
        CLIENT_ERROR auth token too long\r\n\
        CLIENT_ERROR bad authentication token format\r\n\
        CLIENT_ERROR bad command line termination\r\n\
        STORED\r\nSTORED\r\nVALUE foo 0 7\r\nfoo bab\r\nEND\r\nERROR\r\n";
    assert_eq!(String::from_utf8(replies).unwrap(), expected);
    assert_eq!((flow, cmds, errors), (Flow::NeedMore, 2, 1));
}

#[test]
fn an_unauthenticated_text_connection_closes_on_malformed_input() {
    let server = guarded(true);
    let closes = |input: &[u8]| {
        let (replies, flow, ..) = run_script(&server, input, &[], 1000);
        assert!(replies.is_empty());
        flow == Flow::Close
    };
    assert!(closes(b"quit\r\n") && closes(b"\r\n\r\n\r\n") && closes(b"abcd\r\n"));
    assert!(closes(&[b'x'; 2049]) && !closes(&[b'x'; 2048]));
    assert!(!closes(b"\r\n") && !closes(b"set a 0 0 16384\r\nxxx"));
}

/// Opcode and status of each reply.
fn statuses(replies: &[u8]) -> Vec<(u8, u8)> {
    let (mut found, mut rest) = (Vec::new(), replies);
    while rest.len() >= 24 {
        found.push((rest[1], rest[7]));
        let body = u32::from_be_bytes([rest[8], rest[9], rest[10], rest[11]]);
        rest = &rest[24 + body as usize..];
    }
    assert!(rest.is_empty());
    found
}

#[test]
fn a_binary_connection_authenticates_with_sasl() {
    let mechanism: &[u8] = b"PLAIN";
    let script = [
        (packet(0x0b, &[], b"", b""), 0),
        (packet(0x20, &[], b"", b""), 0),
        (packet(0x22, &[], mechanism, b"\0foo\0bar"), 0x20),
        (packet(0x21, &[], &[b'X'; 33], b"\0foo\0bar"), 4),
        (packet(0x21, &[], mechanism, b"\0foo\0bab"), 0x20),
        (packet(0x21, &[], mechanism, &[b'x'; 5000]), 0x20),
        (packet(0x21, &[], mechanism, b""), 0x21),
        (packet(0x22, &[], mechanism, b"\0foo\0bar"), 0),
        (packet(0x0a, &[], b"", b""), 0),
        (packet(0x21, &[], mechanism, b"\0foo\0bar"), 0),
        (packet(0x0a, &[], b"", b""), 0),
    ];
    let expected: Vec<_> = script
        .iter()
        .map(|(sent, status)| (sent[1], *status))
        .collect();
    let script = script.map(|(sent, _)| sent).concat();
    let (replies, flow, cmds, errors) = same_however_cut(&guarded(false), &script);
    assert_eq!(statuses(&replies), expected);
    assert_eq!((flow, cmds, errors), (Flow::NeedMore, 5, 3));
}
