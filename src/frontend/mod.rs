//! The protocols without sockets: bytes in, replies out. Fuzzing runs these.
//!
//! [`dispatch`] finds the protocol by the first byte; [`text`], [`meta`] and [`binary`] translate
//! requests into operations of [`crate::command`] and print the replies, [`executor`] is what they
//! share; [`text_auth`] asks for the password of the text protocol, [`control`] is what a frontend
//! may ask of the node.

mod binary;
pub(crate) mod control;
pub(crate) mod crawler;
mod dispatch;
mod executor;
mod flow;
mod meta;
mod output;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod text_auth;
pub(crate) mod wait_state;

pub use binary::BinaryFrontend;
pub use control::{ControlReply, ServerControl};
pub use dispatch::Frontend;
pub use flow::Flow;
pub use output::{Chunk, Output};
pub use text::TextFrontend;
