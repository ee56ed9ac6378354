//! What frontends share: the means to execute requests.

use super::control::ServerControl;
use super::flow::Flow;
use super::output::Output;
use crate::command::{CommandContext, StoreRequest};
use crate::store::Upload;

/// What requests are executed with.
pub(super) struct Executor<'a, 't> {
    pub(super) ctx: &'a mut CommandContext<'t>,
    pub(super) out: &'a mut Output,
    pub(super) server: &'a dyn ServerControl,
}

impl Executor<'_, '_> {
    /// Why the turn ends before another request, if it does.
    #[inline(always)]
    pub(super) fn end_of_turn(&self, is_last: bool) -> Option<Flow> {
        // What follows a large value runs once the partner has that.
        if !self.ctx.op.large.is_empty() {
            return Some(Flow::HandOver);
        }
        let spent_bytes = self.out.len() + self.ctx.spent_bytes;
        (is_last || spent_bytes >= self.ctx.output_bytes_max).then_some(Flow::Yield)
    }
}

/// A storage command whose value is incomplete, and how to reply to it.
#[derive(Debug)]
pub(super) struct Receiving<R> {
    pub(super) request: StoreRequest,
    pub(super) upload: Upload,
    pub(super) reply: R,
}
