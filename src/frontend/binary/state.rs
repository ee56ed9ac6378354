//! What a connection of the binary protocol is in the middle of.

use crate::frontend::executor::Receiving;
use crate::frontend::wait_state::WaitState;
use crate::protocol::StoreMode;
use crate::protocol::binary::Header;
use crate::store::Upload;

/// The binary protocol on one connection.
#[derive(Debug, Default)]
pub struct BinaryFrontend {
    pub(super) state: BinaryState,
    pub(super) progress: Progress,
}

#[derive(Debug, Default)]
pub(super) enum BinaryState {
    /// A packet comes next.
    #[default]
    Packet,
    /// A packet comes next, of a client that has not authenticated.
    Locked,
    /// A value comes next.
    Value(Box<Receiving<(Header, StoreMode)>>),
    /// Data to be discarded comes next.
    Discard(usize),
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// No authentication is required.
    #[default]
    NotAsked,
    /// It may only authenticate.
    Unauthenticated,
    /// It has chosen PLAIN and sends its token in a step.
    Begun,
    /// It may do everything.
    Authenticated,
}

impl BinaryFrontend {
    /// A connection that must authenticate first.
    pub fn locked() -> Self {
        Self {
            state: BinaryState::Locked,
            progress: Progress::Unauthenticated,
        }
    }

    /// The state between two packets.
    pub(super) fn at_rest(&self) -> BinaryState {
        match self.progress {
            Progress::NotAsked | Progress::Authenticated => BinaryState::Packet,
            Progress::Unauthenticated | Progress::Begun => BinaryState::Locked,
        }
    }

    /// A value that is being received.
    pub fn upload_mut(&mut self) -> Option<&mut Upload> {
        match &mut self.state {
            BinaryState::Value(receiving) => Some(&mut receiving.upload),
            _ => None,
        }
    }

    /// A value that has not been stored yet.
    pub fn upload(&self) -> Option<&Upload> {
        match &self.state {
            BinaryState::Value(receiving) => Some(&receiving.upload),
            _ => None,
        }
    }

    /// Whether a value is complete and waits to be stored; no input follows it.
    pub fn is_complete(&self) -> bool {
        self.upload()
            .is_some_and(|upload| upload.missing_bytes() == 0)
    }

    /// What the connection waits for, for `stats conns`; `tail` is input that was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> WaitState {
        match self.state {
            BinaryState::Packet
                if Header::parse(tail).is_some_and(|it| tail.len() >= it.head_len()) =>
            {
                WaitState::Value
            }
            BinaryState::Packet | BinaryState::Locked => WaitState::Read,
            BinaryState::Value(_) => WaitState::Value,
            BinaryState::Discard(_) => WaitState::Swallow,
        }
    }

    /// Discards data before the next packet.
    pub(super) fn discard(&mut self, bytes: usize) {
        self.state = if bytes == 0 {
            self.at_rest()
        } else {
            BinaryState::Discard(bytes)
        };
    }
}
