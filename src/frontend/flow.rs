//! The reasons for which a frontend stops executing requests.

use crate::protocol::text::Events;

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
    /// The next request is put off: what it must know first is in the context of the turn.
    Consult,
    /// Disconnect the client after the replies.
    Close,
    /// Disconnect the client, because it asked for it.
    Quit,
    /// Disconnect the client, because it stops the server.
    Shutdown,
    /// The client becomes a watcher of these events.
    Watch(Events),
}
