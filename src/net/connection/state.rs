//! A connection, and its input that is not executed yet.

use std::rc::Rc;

use super::asking::Asking;
use crate::frontend::Frontend;
use crate::net::commit::HeldTurn;
use crate::net::connection_slot::ConnectionSlot;
use crate::net::stream::Stream;
use crate::net::worker_context::WorkerContext;
use crate::net::write_queue::WriteQueue;
use crate::store::{Consultation, InputReservation};

/// One client.
pub(crate) struct Connection {
    pub(super) slot: ConnectionSlot,
    pub(super) stream: Stream,
    pub(super) worker: Rc<WorkerContext>,
    pub(super) frontend: Frontend,
    /// Bytes that are not a complete request, or that the last turn did not execute.
    pub(super) tail: Vec<u8>,
    /// The reservation of a long tail.
    pub(super) line: Option<InputReservation>,
    pub(super) unfinished: InputProgress,
    /// Replies that the socket has not taken yet.
    pub(super) write_queue: Option<WriteQueue>,
    /// A turn whose writes the partner has not answered yet.
    pub(super) held: Option<HeldTurn>,
    /// What the next request must know of the partner's table.
    pub(super) consultation: Consultation,
    /// The next request waits for the partner's answer.
    pub(super) asking: Option<Asking>,
    /// The tail may hold complete requests.
    pub(super) unexecuted: bool,
    pub(super) closing: bool,
}

/// The result of a read.
pub(super) enum Input {
    /// The number of bytes at the front of the scratch buffer.
    Scratch(usize),
    /// More bytes in the tail.
    Tail,
    /// More of the value that is being received.
    Value,
    /// The unfinished input must be dropped, because others need its memory.
    GiveUp,
    /// The client has closed the connection.
    End,
}

/// The state of the unfinished input, as the connection registry last saw it.
#[derive(Debug, Default)]
pub(super) struct InputProgress {
    pub(super) held_bytes: u64,
    /// Bytes received when it last counted as grown.
    pub(super) grown_to_bytes: usize,
    /// The time since which it has been waiting for memory, if it does.
    pub(super) waiting_since_ms: Option<u64>,
}
