//! The protocols without sockets: bytes in, replies out. Fuzzing runs these.
//!
//! [`dispatch`] finds the protocol by the first byte; [`text`], [`meta`] and [`binary`] translate
//! requests into operations of [`crate::command`] and print the replies, [`executor`] is what they
//! share; [`text_auth`] asks for the password of the text protocol, [`control`] is what a frontend
//! may ask of the node.

#[cfg(test)]
mod access_tests;
mod binary;
#[cfg(test)]
mod budget_tests;
pub(crate) mod control;
pub(crate) mod crawler;
#[cfg(test)]
mod deadline_tests;
mod dispatch;
mod executor;
#[cfg(test)]
mod fragmentation_tests;
#[cfg(test)]
mod hand_over_tests;
mod meta;
mod output;
#[cfg(test)]
mod test_support;
pub(crate) mod text;
mod text_auth;
pub(crate) mod wait_state;

pub use binary::BinaryFrontend;
pub use control::{ControlReply, ServerControl};
pub use dispatch::Frontend;
pub use executor::Flow;
pub use output::{Chunk, Output};
pub use text::TextFrontend;
