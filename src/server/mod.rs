//! Server.
mod conversation;
pub use conversation::{Console, Conversation, Stop};
