//! What a text conversation waits for, as `stats conns` tells it.

use super::{Conversation, State};
use crate::frontend::wait_state;

impl Conversation {
    /// `tail` is what has come in and was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> wait_state::State {
        match self.state {
            // The data of a small value is waited for together with its line.
            State::Line if !tail.is_empty() && memchr::memchr(b'\n', tail).is_some() => {
                wait_state::State::Value
            }
            State::Line | State::Keys(_) => wait_state::State::Read,
            State::Value(_) => wait_state::State::Value,
            State::Swallow(_) => wait_state::State::Swallow,
            State::Dump(_) | State::Cachedump(_) => wait_state::State::Write,
        }
    }
}
