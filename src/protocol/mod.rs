//! Pure grammars: bytes to borrowed requests, replies to bytes. No tokio, no store.

pub mod binary;
pub mod meta;
pub mod text;
mod write;

pub use write::Write;
