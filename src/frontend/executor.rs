//! What frontends share: the means to execute requests, and the reasons to stop.

use super::control::ServerControl;
use super::output::Output;
use crate::command::{CommandContext, StoreRequest};
use crate::protocol::text::Events;
use crate::store::Upload;

/// Why a frontend stopped executing requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The rest of the input is not a complete request.
    NeedMore,
    /// The turn's budget is spent.
    Yield,
    /// What the turn has changed must reach the link before the next request: that prints
    /// statistics, or the last one wrote a large value.
    HandOver,
    /// Disconnect the client after the replies.
    Close,
    /// Disconnect the client, because it asked for it.
    Quit,
    /// Disconnect the client, because it stops the server.
    Shutdown,
    /// The client becomes a watcher of these events.
    Watch(Events),
}

/// What requests are executed with.
pub(super) struct Executor<'a, 't> {
    pub(super) ctx: &'a mut CommandContext<'t>,
    pub(super) out: &'a mut Output,
    pub(super) server: &'a dyn ServerControl,
}

/// A storage command whose value is incomplete, and how to reply to it.
#[derive(Debug)]
pub(super) struct Receiving<R> {
    pub(super) request: StoreRequest,
    pub(super) upload: Upload,
    pub(super) reply: R,
}
