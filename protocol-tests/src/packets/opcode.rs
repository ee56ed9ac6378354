//! The opcodes of memcached 1.6.45, and [`VERBOSITY`], which other servers have.

/// `get`.
pub const GET: u8 = 0x00;
/// `set`.
pub const SET: u8 = 0x01;
/// `add`.
pub const ADD: u8 = 0x02;
/// `replace`.
pub const REPLACE: u8 = 0x03;
/// `delete`.
pub const DELETE: u8 = 0x04;
/// `incr`.
pub const INCR: u8 = 0x05;
/// `decr`.
pub const DECR: u8 = 0x06;
/// `quit`.
pub const QUIT: u8 = 0x07;
/// `flush_all`.
pub const FLUSH: u8 = 0x08;
/// The quiet form of [`GET`].
pub const GETQ: u8 = 0x09;
/// Nothing but an answer.
pub const NOOP: u8 = 0x0a;
/// `version`.
pub const VERSION: u8 = 0x0b;
/// `get`, answered with the key.
pub const GETK: u8 = 0x0c;
/// The quiet form of [`GETK`].
pub const GETKQ: u8 = 0x0d;
/// `append`.
pub const APPEND: u8 = 0x0e;
/// `prepend`.
pub const PREPEND: u8 = 0x0f;
/// `stats`.
pub const STAT: u8 = 0x10;
/// The quiet form of [`SET`].
pub const SETQ: u8 = 0x11;
/// The quiet form of [`ADD`].
pub const ADDQ: u8 = 0x12;
/// The quiet form of [`REPLACE`].
pub const REPLACEQ: u8 = 0x13;
/// The quiet form of [`DELETE`].
pub const DELETEQ: u8 = 0x14;
/// The quiet form of [`INCR`].
pub const INCRQ: u8 = 0x15;
/// The quiet form of [`DECR`].
pub const DECRQ: u8 = 0x16;
/// The quiet form of [`QUIT`].
pub const QUITQ: u8 = 0x17;
/// The quiet form of [`FLUSH`].
pub const FLUSHQ: u8 = 0x18;
/// The quiet form of [`APPEND`].
pub const APPENDQ: u8 = 0x19;
/// The quiet form of [`PREPEND`].
pub const PREPENDQ: u8 = 0x1a;
/// `verbosity`, which memcached does not know.
pub const VERBOSITY: u8 = 0x1b;
/// `touch`.
pub const TOUCH: u8 = 0x1c;
/// `gat`.
pub const GAT: u8 = 0x1d;
/// The quiet form of [`GAT`].
pub const GATQ: u8 = 0x1e;
/// The ways to log in.
pub const SASL_LIST: u8 = 0x20;
/// Log in.
pub const SASL_AUTH: u8 = 0x21;
/// Log in, next step.
pub const SASL_STEP: u8 = 0x22;
/// `gat`, answered with the key.
pub const GATK: u8 = 0x23;
/// The quiet form of [`GATK`].
pub const GATKQ: u8 = 0x24;
