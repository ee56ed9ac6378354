//! What a text connection waits for, for `stats conns`.

use super::state::{TextFrontend, TextState};
use crate::frontend::wait_state::WaitState;

impl TextFrontend {
    /// `tail` is input that was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> WaitState {
        match self.state {
            // The data of a small value is waited for together with its line.
            TextState::Line if !tail.is_empty() && memchr::memchr(b'\n', tail).is_some() => {
                WaitState::Value
            }
            TextState::Line | TextState::Keys(_) => WaitState::Read,
            TextState::Value(_) => WaitState::Value,
            TextState::Discard(_) => WaitState::Swallow,
            TextState::Dump(_) | TextState::Cachedump(_) => WaitState::Write,
        }
    }
}
