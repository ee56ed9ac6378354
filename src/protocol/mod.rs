//! Pure grammars: bytes to borrowed requests, replies to bytes. No tokio, no store.

pub mod meta;
pub mod text;
