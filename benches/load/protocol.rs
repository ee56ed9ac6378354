//! What requests and replies look like in each protocol. A get is answered with key, flags and
//! value in all of them.

use std::ops::Range;

use crate::args::{Load, Operation, Protocol};
use crate::batch::KEY_BYTES;

/// A request around its key.
pub(crate) struct Request {
    pub(crate) before_key: Vec<u8>,
    pub(crate) after_key: Vec<u8>,
}

/// A reply; all that a batch is answered with have one length.
pub(crate) struct Reply {
    /// Everything before the value, with room for the key.
    pub(crate) head: Vec<u8>,
    /// Where in the head the key goes.
    pub(crate) key_at: Option<usize>,
    /// Bytes of the head that may be any: the version.
    pub(crate) any: Range<usize>,
    pub(crate) value_bytes: usize,
    pub(crate) tail: &'static [u8],
}

const GETK: u8 = 0x0c;
const SET: u8 = 0x01;
const HEADER_BYTES: usize = 24;
const CAS: Range<usize> = 16..24;

pub(crate) fn request(load: &Load, protocol: Protocol) -> Request {
    let value_bytes = load.value_bytes;
    let (before_key, after_key) = match (protocol, load.operation) {
        (Protocol::Text, Operation::Get) => (b"get ".to_vec(), "\r\n".to_owned()),
        (Protocol::Text, Operation::Set) => (b"set ".to_vec(), format!(" 0 0 {value_bytes}\r\n")),
        (Protocol::Meta, Operation::Get) => (b"mg ".to_vec(), " k f v\r\n".to_owned()),
        (Protocol::Meta, Operation::Set) => (b"ms ".to_vec(), format!(" {value_bytes}\r\n")),
        (Protocol::Binary, Operation::Get) => (header(0x80, GETK, 0, 0), String::new()),
        (Protocol::Binary, Operation::Set) => {
            let mut before_key = header(0x80, SET, 8, value_bytes);
            before_key.extend_from_slice(&[0; 8]);
            (before_key, String::new())
        }
    };
    let mut after_key = after_key.into_bytes();
    if load.operation == Operation::Set {
        after_key.resize(after_key.len() + value_bytes as usize, b'v');
        if protocol != Protocol::Binary {
            after_key.extend_from_slice(b"\r\n");
        }
    }
    Request {
        before_key,
        after_key,
    }
}

pub(crate) fn reply(load: &Load, protocol: Protocol) -> Reply {
    let value_bytes = load.value_bytes as usize;
    let done = |head: Vec<u8>, any: Range<usize>| Reply {
        head,
        key_at: None,
        any,
        value_bytes: 0,
        tail: b"",
    };
    let hit = |before: &[u8], after: &[u8], any, tail| Reply {
        head: [before, &[b' '; KEY_BYTES], after].concat(),
        key_at: Some(before.len()),
        any,
        value_bytes,
        tail,
    };
    match (protocol, load.operation) {
        (Protocol::Text, Operation::Set) => done(b"STORED\r\n".to_vec(), 0..0),
        (Protocol::Meta, Operation::Set) => done(b"HD\r\n".to_vec(), 0..0),
        (Protocol::Binary, Operation::Set) => {
            let mut head = header(0x81, SET, 0, 0);
            // No key comes back, and the body is as empty as its lengths say.
            head[2..4].fill(0);
            head[8..12].fill(0);
            done(head, CAS)
        }
        (Protocol::Text, Operation::Get) => {
            let after = format!(" 0 {value_bytes}\r\n");
            hit(b"VALUE ", after.as_bytes(), 0..0, b"\r\nEND\r\n")
        }
        (Protocol::Meta, Operation::Get) => {
            let before = format!("VA {value_bytes} k");
            hit(before.as_bytes(), b" f0\r\n", 0..0, b"\r\n")
        }
        (Protocol::Binary, Operation::Get) => {
            let mut before = header(0x81, GETK, 4, load.value_bytes);
            before.extend_from_slice(&[0; 4]);
            hit(&before, b"", CAS, b"")
        }
    }
}

fn header(magic: u8, opcode: u8, extras_len: u8, value_bytes: u32) -> Vec<u8> {
    let body_bytes = KEY_BYTES as u32 + u32::from(extras_len) + value_bytes;
    let mut header = vec![magic, opcode, 0, KEY_BYTES as u8, extras_len, 0, 0, 0];
    header.extend_from_slice(&body_bytes.to_be_bytes());
    header.resize(HEADER_BYTES, 0);
    header
}
