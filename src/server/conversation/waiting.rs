//! What a text conversation waits for, as `stats conns` tells it.

use super::{Conversation, State};
use crate::server::registry;

impl Conversation {
    /// `tail` is what has come in and was not executed.
    pub(in crate::server) fn waits_for(&self, tail: &[u8]) -> registry::State {
        match self.state {
            // The data of a small value is waited for together with its line.
            State::Line if !tail.is_empty() && memchr::memchr(b'\n', tail).is_some() => {
                registry::State::Value
            }
            State::Line | State::Keys(_) => registry::State::Read,
            State::Value(_) => registry::State::Value,
            State::Swallow(_) => registry::State::Swallow,
            State::Dump(_) | State::Cachedump(_) => registry::State::Write,
        }
    }
}
