//! The binary protocol of memcached 1.6.45 (its `protocol_binary.h` and parser).
//!
//! A packet is a header of 24 bytes, extras, a key and a value. Everything that can be wrong with
//! one is in its header, so [`Header::check`] finds it before the rest has come in, and only a
//! well-formed packet makes the caller wait for more.

mod header;
mod opcode;
pub mod reply;
mod request;
pub mod sasl;

pub use header::{HEADER_BYTES, Header, MAGIC_REQUEST};
pub use opcode::{Command, Opcode};
pub use reply::Status;
pub use request::{BinaryRequest, PacketError, Sasl, StoreHead};

#[cfg(test)]
mod tests;
