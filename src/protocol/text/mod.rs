//! The classic text protocol of memcached 1.6.45 (doc/protocol.txt and its parser).
//!
//! The caller frames a line; [`parse`] turns it into a [`TextRequest`] that borrows from it, or
//! into a [`ParseError`] with the reply and the number of data bytes to discard.

mod admin;
pub mod cachedump;
pub mod dump;
mod number;
mod parse_error;
pub mod reply;
mod request;
mod storage;
mod token;
pub mod uri;
mod watch;

pub use admin::{Admin, ClassFilter, CrawlerCommand, DumpFormat, Lru, Shutdown, Slabs};
pub use number::{strict_i32, strict_u32, strict_u64};
pub use parse_error::ParseError;
pub use request::{Keys, TextRequest, parse};
pub use storage::Storage;
pub(super) use token::tokens;
pub use watch::Events;

#[cfg(test)]
mod tests;
