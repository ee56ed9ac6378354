//! Meta commands.

mod arithmetic;
mod delete;
mod flags;
mod get;
mod inspect;
pub(super) mod set;

use super::executor::Executor;
use super::flow::Flow;
use super::text::{StoreCommand, StoreReply, TextFrontend};
use crate::protocol::meta::{MetaRequest, MetaVerb, parse};
use crate::store::Dependence;
pub(super) use inspect::inspect;

impl TextFrontend {
    /// Executes `mg`, `ms`, `md` or `ma`; returns the bytes used.
    pub(in crate::frontend) fn meta(
        &mut self,
        verb: MetaVerb,
        args: &[u8],
        rest: &[u8],
        used: usize,
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let request = match parse(verb, args) {
            Ok(request) => request,
            Err(error) => return self.refuse_request(error, used, &mut exec.out.bytes),
        };
        if exec.ctx.consults() && puts_off(exec, &request) {
            return (0, Some(Flow::Consult));
        }
        match verb {
            MetaVerb::Get => get::get(exec, &request),
            MetaVerb::Delete => delete::delete(exec, &request),
            MetaVerb::Arithmetic => arithmetic::arithmetic(exec, &request),
            MetaVerb::Set => {
                let command = StoreCommand {
                    key: &request.key.bytes,
                    value_len: request.data_len,
                    request: set::store_request(&request, exec.ctx.now()),
                    reply: StoreReply::Meta(&request, args),
                };
                return self.store(&command, rest, used, exec);
            }
        }
        (used, None)
    }
}

/// Whether a request is put off until the partner has been asked.
#[inline(never)]
fn puts_off(exec: &mut Executor<'_, '_>, request: &MetaRequest<'_>) -> bool {
    let key = &*request.key.bytes;
    match request.verb {
        MetaVerb::Get => exec.ctx.puts_off([key], Dependence::Reads),
        MetaVerb::Set => {
            let store = set::store_request(request, exec.ctx.now());
            exec.ctx
                .puts_off_store(key, store.mode, store.compare.is_some())
        }
        MetaVerb::Delete | MetaVerb::Arithmetic => exec.ctx.puts_off([key], Dependence::Writes),
    }
}
