//! Pure grammars: bytes to borrowed requests, replies to bytes. No tokio, no store.

pub mod binary;
pub mod meta;
pub mod text;

pub use crate::store_mode::StoreMode;
