//! What frontends share: the means to execute requests.

use super::control::ServerControl;
use super::output::Output;
use crate::command::{CommandContext, StoreRequest};
use crate::store::Upload;

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
