//! What a conversation asks of the node: commands that look beyond one connection and the items.

use std::borrow::Cow;

use crate::protocol::text::Admin;

/// See the module.
pub trait Console {
    /// `stats` with the words after it.
    fn stats(&self, args: &[&[u8]], out: &mut Vec<u8>);
    /// Carries out a command that looks after the server.
    fn administer(&self, command: Admin) -> Outcome;
    /// The answer to `version`.
    fn version(&self) -> &str;
}

/// What such a command leads to.
#[derive(Debug)]
pub enum Outcome {
    /// A line, unless the client wants none.
    Say(Cow<'static, str>),
    /// The connection ends without a word.
    Close,
}

impl Outcome {
    /// Done.
    pub const OK: Self = Self::say("OK");

    /// These words.
    pub const fn say(words: &'static str) -> Self {
        Self::Say(Cow::Borrowed(words))
    }
}
