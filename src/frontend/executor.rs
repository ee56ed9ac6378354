//! What requests of every dialect are executed with, and why a dialect stops executing them.

use super::control::ServerControl;
use super::output::Output;
use crate::command::{CommandContext, StoreRequest};
use crate::protocol::text::Events;
use crate::store::Upload;

/// Why the conversation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The rest of the input is no whole request.
    NeedMore,
    /// The turn's budget is spent.
    Yield,
    /// The next request prints statistics, and the turn has made changes that the link is to be
    /// told of first.
    HandOver,
    /// The client is to be disconnected once the replies are out.
    Close,
    /// The same, because it asked for it.
    Quit,
    /// The same, because it stops the server.
    Shutdown,
    /// The client is to be told of these events from now on.
    Watch(Events),
}

/// The parts of a step that do not change from request to request.
pub(super) struct Executor<'a, 't> {
    pub(super) ctx: &'a mut CommandContext<'t>,
    pub(super) out: &'a mut Output,
    pub(super) server: &'a dyn ServerControl,
}

/// A storage command whose value has not all come in, and how it is answered.
#[derive(Debug)]
pub(super) struct Receiving<R> {
    pub(super) request: StoreRequest,
    pub(super) upload: Upload,
    pub(super) reply: R,
}
