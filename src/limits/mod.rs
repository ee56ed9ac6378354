//! Every bound of the server: what happens at it, why it is this number, and what it must be for
//! the others to hold, which the compiler checks.
//!
//! A number that memcached has is memcached's. "A choice" is one that nothing forces; it says what
//! it trades.

mod asks;
mod clients;
mod files;
mod input;
mod link;
mod log;
mod memory;
mod protocol;
mod replication;
mod semi_sync;
mod sizes;
mod turn;

pub(crate) use asks::*;
pub(crate) use clients::*;
pub(crate) use files::*;
pub use input::*;
pub use link::*;
pub(crate) use log::*;
pub(crate) use memory::*;
pub(crate) use protocol::*;
pub(crate) use replication::*;
pub(crate) use semi_sync::*;
pub(crate) use sizes::*;
pub use turn::*;

/// The memcached release we answer like.
pub(crate) const VERSION_ANSWERED: &str = "1.6.45";

const _: () = assert!(
    ITEM_BYTES_MAX <= LINK_VALUE_BYTES_MAX,
    "the partner takes every item that a client may store"
);
const _: () = assert!(
    ITEM_BYTES_MAX <= BINARY_BODY_BYTES,
    "an item counts with more than the extras of its packet, so the largest one fits a packet"
);
const _: () = assert!(
    KEY_BYTES <= u8::MAX as usize,
    "an item and a record keep the length of their key in one byte"
);
// A line and the value behind it that one read brings are served in one turn.
const _: () = assert!(LINE_BYTES + KEY_BYTES + INCOMING_BYTES_MIN < SCRATCH_BYTES / 2);
const _: () = assert!(LINE_BYTES + KEY_BYTES + INCOMING_BYTES_MIN < SCARCE_READ_BYTES);
// What one read brings fits the first buffer of a value.
const _: () = assert!(SCRATCH_BYTES <= UPLOAD_STEP_BYTES);
const _: () = assert!(WAITING_CHECK_MS.is_multiple_of(HOUSEKEEPING_MS));
// An unfinished handshake holds no more than an unfinished line that is not counted.
const _: () = assert!(HANDSHAKE_BYTES_MAX as u64 <= LINE_ACCOUNTED_BYTES);
const _: () = assert!(3 * KEY_BYTES + 200 <= WATCH_LINE_BYTES);
