//! Properties of the binary grammar; its words are checked against memcached by protocol-tests.

use proptest::prelude::*;

use super::*;
use crate::limits::{BINARY_BODY_BYTES, KEY_BYTES};

fn bytes_of(header: &Header) -> Vec<u8> {
    let mut bytes = vec![MAGIC_REQUEST, header.opcode.0];
    bytes.extend_from_slice(&(header.key_len as u16).to_be_bytes());
    bytes.extend_from_slice(&[header.extras_len as u8, 9, 9, 9]);
    bytes.extend_from_slice(&(header.body_len as u32).to_be_bytes());
    bytes.extend_from_slice(&header.opaque);
    bytes.extend_from_slice(&header.cas.to_be_bytes());
    bytes
}

fn header_of(opcode: u8, extras_len: usize, key_len: usize, body_len: usize) -> Header {
    Header {
        opcode: Opcode(opcode),
        extras_len,
        key_len,
        body_len,
        opaque: *b"opaq",
        cas: 0,
    }
}

fn header() -> impl Strategy<Value = Header> {
    let key_len = prop_oneof![0usize..3, 248usize..253, 0usize..65_536];
    let extras_len = prop_oneof![Just(0usize), Just(4), Just(8), Just(20), 0usize..256];
    let value_len = prop_oneof![Just(0), 0..100u32, any::<u32>()];
    let lengths = (key_len, extras_len, value_len);
    let others = (any::<u8>(), any::<[u8; 4]>(), any::<u64>());
    (lengths, others).prop_map(|(lengths, (opcode, opaque, cas))| {
        let (key_len, extras_len, value_len) = lengths;
        let body_len = (key_len + extras_len + value_len as usize).min(u32::MAX as usize);
        Header {
            opaque,
            cas,
            ..header_of(opcode, extras_len, key_len, body_len)
        }
    })
}

proptest! {
    #[test]
    fn a_header_is_read_as_it_was_written(header in header()) {
        let bytes = bytes_of(&header);
        prop_assert_eq!(bytes.len(), HEADER_BYTES);
        prop_assert_eq!(Header::parse(&bytes), Some(header));
        prop_assert_eq!(Header::parse(&bytes[..HEADER_BYTES - 1]), None);
    }

    /// What passes the check is read from its head alone, never from less, and never panics.
    #[test]
    fn what_passes_the_check_is_read_whole_or_not_at_all(header in header()) {
        let Ok(command) = header.check() else { return Ok(()) };
        prop_assert!(header.key_len <= KEY_BYTES && header.body_len <= BINARY_BODY_BYTES);
        prop_assert!(header.key_len + header.extras_len <= header.body_len);
        let mut packet = bytes_of(&header);
        packet.resize(header.head_len(), b'k');
        let request = BinaryRequest::parse(&header, command, &packet);
        prop_assert!(request.is_some());
        if packet.len() > HEADER_BYTES {
            let cut = &packet[..packet.len() - 1];
            prop_assert_eq!(BinaryRequest::parse(&header, command, cut), None);
        }
        if let Some(BinaryRequest::Store(store)) = request {
            prop_assert_eq!(store.key.len(), header.key_len);
            prop_assert_eq!(header.head_len() + store.value_len, HEADER_BYTES + header.body_len);
        }
    }

    /// An error either closes the connection or says exactly how much to skip.
    #[test]
    fn a_fault_skips_the_body_or_closes(header in header()) {
        if let Err(error) = header.check() {
            match error.discard_bytes {
                Some(bytes) => prop_assert_eq!(bytes, header.body_len),
                None => prop_assert_ne!(error.status, Status::Ok),
            }
        }
    }

    #[test]
    fn any_bytes_are_a_header_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        match Header::parse(&bytes) {
            Some(_) => prop_assert!(bytes.len() >= HEADER_BYTES && bytes[0] == MAGIC_REQUEST),
            None => prop_assert!(bytes.len() < HEADER_BYTES || bytes[0] != MAGIC_REQUEST),
        }
    }
}

#[test]
fn every_quiet_form_asks_for_what_its_loud_form_does() {
    let first = [0x00, 0x0c, 0x1d, 0x23, 0x0e, 0x0f].into_iter();
    let first = first.zip([0x09, 0x0d, 0x1e, 0x24, 0x19, 0x1a]);
    let pairs: Vec<_> = first.chain((0x01..=0x08).zip(0x11..=0x18)).collect();
    for (loud, quiet) in &pairs {
        let (loud, quiet) = (Opcode(*loud), Opcode(*quiet));
        assert_eq!(loud.command(), quiet.command(), "{quiet:?}");
        assert!(quiet.is_quiet() && !loud.is_quiet(), "{quiet:?}");
    }
    let quiet = (0..=u8::MAX).filter(|&opcode| Opcode(opcode).is_quiet());
    assert_eq!(quiet.count(), pairs.len());
    let known = (0..=u8::MAX).filter(|&opcode| Opcode(opcode).command().is_some());
    assert_eq!(known.count(), 35);
}

#[test]
fn an_incr_with_all_ones_makes_nothing() {
    let packet = |exptime: u32| {
        let mut packet = bytes_of(&header_of(5, 20, 1, 21));
        packet.extend_from_slice(&7u64.to_be_bytes());
        packet.extend_from_slice(&8u64.to_be_bytes());
        packet.extend_from_slice(&exptime.to_be_bytes());
        packet.push(b'k');
        packet
    };
    for (sent, exptime) in [
        (0, Some(0)),
        (u32::MAX - 1, Some(u32::MAX - 1)),
        (u32::MAX, None),
    ] {
        let packet = packet(sent);
        let header = Header::parse(&packet).unwrap();
        let request = BinaryRequest::parse(&header, header.check().unwrap(), &packet);
        let expected = BinaryRequest::Arithmetic {
            key: b"k",
            incr: true,
            delta: 7,
            initial: 8,
            exptime,
        };
        assert_eq!(request, Some(expected));
    }
}

#[test]
fn a_reply_has_its_lengths_and_the_requests_opaque() {
    let header = header_of(0x0d, 0, 3, 3);
    let mut out = Vec::new();
    reply::hit_head(&mut out, &header, b"key", 0x0102_0304, 5, 0x0a0b);
    let expected = b"\x81\x0d\0\x03\x04\0\0\0\0\0\0\x0copaq\0\0\0\0\0\0\x0a\x0b\x01\x02\x03\x04key";
    assert_eq!(out, expected);
    out.clear();
    reply::error(&mut out, &header, Status::UnknownCommand);
    let expected = b"\x81\x0d\0\0\0\0\0\x81\0\0\0\x0fopaq\0\0\0\0\0\0\0\0Unknown command";
    assert_eq!(out, expected);
}
