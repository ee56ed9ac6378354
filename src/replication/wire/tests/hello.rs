//! Hellos of other versions, and those that end early.

use super::*;

/// A hello of a made-up range of versions.
fn hello_of(wire_min: u16, wire_max: u16) -> Hello<'static> {
    Hello {
        wire_min,
        wire_max,
        side: 1,
        incarnation: 5,
        clock: Timestamp::from_raw(1),
        flush_watermark: Timestamp::ZERO,
        node_id: "n2",
        policy: "",
        listen_addr: "",
        failover_addr: "",
        wall_ms: 77,
        hash_check: 99,
        last_link: Some(LastLink {
            incarnation: 9,
            until: Timestamp::from_raw(8),
        }),
    }
}

#[test]
fn a_hello_with_fields_of_a_newer_version_is_read() {
    let hello = hello_of(0, 9);
    let mut out = Vec::new();
    Frame::Hello(hello).encode(&mut out);
    out.extend(b"fields to come");
    assert_eq!(Frame::decode(&out[LENGTH_BYTES..]), Ok(Frame::Hello(hello)));
}

#[test]
fn a_hello_may_end_before_its_addresses() {
    let mut hello = Hello {
        wire_min: 2,
        wire_max: 2,
        side: 1,
        incarnation: 5,
        clock: Timestamp::from_raw(1),
        flush_watermark: Timestamp::ZERO,
        node_id: "n2",
        policy: "p",
        wall_ms: 77,
        last_link: None,
        listen_addr: "a:1",
        failover_addr: "b:2",
        hash_check: 99,
    };
    let mut out = Vec::new();
    Frame::Hello(hello).encode(&mut out);
    let frame = &out[LENGTH_BYTES..];
    assert_eq!(Frame::decode(frame), Ok(Frame::Hello(hello)));
    // Each is a length and three bytes.
    hello.failover_addr = "";
    assert_eq!(
        Frame::decode(&frame[..frame.len() - 4]),
        Ok(Frame::Hello(hello))
    );
    hello.listen_addr = "";
    assert_eq!(
        Frame::decode(&frame[..frame.len() - 8]),
        Ok(Frame::Hello(hello))
    );
    let cut = Frame::decode(&frame[..frame.len() - 5]);
    assert_eq!(cut, Err(WireError::Short("hello")));
}

/// A node of version 1 must get as far as the comparison of versions: that refuses it with a
/// reason, where a frame that cannot be read would only close the link.
#[test]
fn a_hello_of_version_1_is_read_without_the_fields_that_it_lacks() {
    let mut out = Vec::new();
    Frame::Hello(hello_of(1, 1)).encode(&mut out);
    // Four numbers, and two addresses of no bytes.
    let without = out.len() - 4 * 8 - 2;
    let read = Hello {
        wall_ms: 0,
        hash_check: 0,
        last_link: None,
        ..hello_of(1, 1)
    };
    assert_eq!(
        Frame::decode(&out[LENGTH_BYTES..without]),
        Ok(Frame::Hello(read))
    );
    // Found by fuzzing: what follows was taken for addresses.
    assert_eq!(Frame::decode(&out[LENGTH_BYTES..]), Ok(Frame::Hello(read)));
    let mut newer = Vec::new();
    Frame::Hello(hello_of(1, 2)).encode(&mut newer);
    let short = Frame::decode(&newer[LENGTH_BYTES..without]);
    assert_eq!(short, Err(WireError::Short("hello")));
}
