//! Tests of the load tool's judgement: which replies it takes for right, and how it compares.
//! A bench target has no test harness, so they are a target of their own beside it.

#![allow(
    dead_code,
    reason = "the tool's modules are used by its main; these tests use some of them"
)]

mod args;
mod batch;
mod protocol;
mod replies;
mod report;

use args::{Heading, Load, Operation, Protocol, ServerSpec};
use batch::{Batch, Keys};
use replies::{Replies, WrongReply};
use report::{Report, Sample};

const LOAD: Load = Load {
    operation: Operation::Get,
    keys: 1000,
    value_bytes: 5,
    connections: 1,
    depth: 2,
    seed: 1,
};

fn batch() -> Batch {
    batch_in(Protocol::Text)
}

fn batch_in(protocol: Protocol) -> Batch {
    let mut batch = Batch::new(&LOAD, protocol);
    batch.draw_keys(&mut Keys::InTurn {
        next: 7,
        keys: 1000,
    });
    batch
}

fn hit(batch: &Batch, at: usize) -> Vec<u8> {
    [b"VALUE ", batch.key(at), b" 0 5\r\nhello\r\nEND\r\n"].concat()
}

/// Feeds `bytes` in pieces of `piece_bytes` and returns how many replies were complete.
fn feed(batch: &Batch, bytes: &[u8], piece_bytes: usize) -> Result<u64, WrongReply> {
    feed_in(Protocol::Text, batch, bytes, piece_bytes)
}

fn feed_in(
    protocol: Protocol,
    batch: &Batch,
    bytes: &[u8],
    piece_bytes: usize,
) -> Result<u64, WrongReply> {
    let mut replies = Replies::new(&LOAD, protocol);
    let mut complete = 0;
    for piece in bytes.chunks(piece_bytes) {
        replies.space()[..piece.len()].copy_from_slice(piece);
        complete += replies.received(piece.len(), batch)?;
    }
    assert_eq!(replies.all_here(), complete == 2);
    Ok(complete)
}

#[test]
fn a_batch_asks_for_its_keys_in_one_write() {
    let batch = batch();
    let lines: Vec<_> = batch
        .bytes()
        .split_inclusive(|byte| *byte == b'\n')
        .collect();
    assert_eq!(
        lines,
        [
            [b"get ", batch.key(0), b"\r\n"].concat(),
            [b"get ", batch.key(1), b"\r\n"].concat()
        ]
    );
    assert!(batch.key(0).ends_with(b"0000000007"));
    assert!(batch.key(1).ends_with(b"0000000008"));
}

#[test]
fn hits_are_right_however_the_reads_cut_them() {
    let batch = batch();
    let bytes = [hit(&batch, 0), hit(&batch, 1)].concat();
    for piece_bytes in 1..=bytes.len() {
        assert_eq!(feed(&batch, &bytes, piece_bytes).unwrap(), 2);
    }
    assert_eq!(feed(&batch, &bytes[..bytes.len() - 1], 9).unwrap(), 1);
}

#[test]
fn anything_but_a_hit_of_the_right_key_and_length_is_an_error() {
    let batch = batch();
    let key = batch.key(0).to_vec();
    let wrong: [Vec<u8>; 6] = [
        b"END\r\n".to_vec(),
        b"SERVER_ERROR out of memory\r\n".to_vec(),
        hit(&batch, 1),
        [b"VALUE ", &key[..], b" 0 4\r\nhell\r\nEND\r\n"].concat(),
        [b"VALUE ", &key[..], b" 0 5\r\nhello!\r\nEND\r"].concat(),
        [b"VALUE ", &key[..], b" 0 5\r\nhello\r\nVALUE"].concat(),
    ];
    for bytes in wrong {
        assert!(
            feed(&batch, &bytes, bytes.len()).is_err(),
            "{}",
            bytes.escape_ascii()
        );
        assert!(feed(&batch, &bytes, 1).is_err(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn each_protocol_asks_for_and_checks_the_same() {
    let binary = |batch: &Batch, at: usize, cas: u8| {
        let mut header = [0x81, 0x0c, 0, 35, 4, 0, 0, 0, 0, 0, 0, 44].to_vec();
        header.resize(23, 0);
        header.push(cas);
        [&header[..], &[0; 4], batch.key(at), b"hello"].concat()
    };
    let meta = |batch: &Batch, at| [b"VA 5 k", batch.key(at), b" f0\r\nhello\r\n"].concat();
    let meta_batch = batch_in(Protocol::Meta);
    let line = [b"mg ", meta_batch.key(0), b" k f v\r\n"].concat();
    assert!(meta_batch.bytes().starts_with(&line));
    let hits = [meta(&meta_batch, 0), meta(&meta_batch, 1)].concat();
    let binary_batch = batch_in(Protocol::Binary);
    let packets = [binary(&binary_batch, 0, 1), binary(&binary_batch, 1, 9)].concat();
    for piece_bytes in [1, 30, 1000] {
        assert_eq!(
            feed_in(Protocol::Meta, &meta_batch, &hits, piece_bytes).unwrap(),
            2
        );
        assert_eq!(
            feed_in(Protocol::Binary, &binary_batch, &packets, piece_bytes).unwrap(),
            2
        );
    }
    let swapped = [binary(&binary_batch, 1, 1), binary(&binary_batch, 0, 9)].concat();
    assert!(feed_in(Protocol::Binary, &binary_batch, &swapped, 1000).is_err());
    assert!(feed_in(Protocol::Meta, &meta_batch, b"EN\r\n", 1000).is_err());
}

#[test]
fn a_server_may_be_spoken_to_in_another_protocol() {
    let spec: ServerSpec = "m=127.0.0.1:11211@77:binary".parse().unwrap();
    assert_eq!((spec.pid, spec.protocol), (77, Protocol::Binary));
    let spec: ServerSpec = "m=127.0.0.1:11211@77".parse().unwrap();
    assert_eq!(spec.protocol, Protocol::Text);
    assert!("m=127.0.0.1:11211@77:nosuch".parse::<ServerSpec>().is_err());
}

fn report(lines: &[&str], limit: f64) -> anyhow::Result<String> {
    let samples: Vec<Sample> = lines
        .iter()
        .map(|line| line.parse())
        .collect::<Result<_, _>>()?;
    let heading = Heading {
        title: String::new(),
        limit: Some(limit),
    };
    Ok(Report::new(heading, &samples)?.to_string())
}

#[test]
fn the_verdict_is_on_the_median_of_the_rounds_cpu_ratios() {
    // Rounds of 0.5, 0.6 and 9: the mean is far over, the median is not.
    let lines = [
        "a 9 1 1 5",
        "b 9 1 1 10",
        "a 9 1 1 6",
        "b 9 1 1 10",
        "a 9 1 1 90",
        "b 9 1 1 10",
    ];
    assert!(
        report(&lines, 0.6)
            .unwrap()
            .contains("0.600   rounds 0.500 to 9.000   limit 0.60: ok")
    );
    assert!(report(&lines, 0.59).unwrap().contains("limit 0.59: over"));
}

#[test]
fn samples_that_measured_nothing_are_refused() {
    assert!(report(&["a 9 1 1 0", "b 9 1 1 10"], 1.0).is_err());
    assert!(report(&["a 9 1 1 5", "b 9 1 1 10", "a 9 1 1 5"], 1.0).is_err());
    assert!(report(&[], 1.0).is_err());
}
