//! The conversation in each dialect, without its socket: bytes in, replies out. What fuzzing plays.
//!
//! [`dispatch`] finds the dialect by the first byte, [`text`], [`meta`] and [`binary`] speak it,
//! [`text_auth`] asks for the password of the text protocol, [`control`] is what a conversation may
//! ask of the node.

mod binary;
pub(crate) mod control;
pub(crate) mod crawler;
mod dispatch;
mod meta;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod text_auth;
pub(crate) mod wait_state;

pub use binary::BinaryConversation;
pub use control::{Console, Outcome};
pub use dispatch::Dialogue;
pub use text::{Conversation, Stop};
