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
use crate::protocol::meta::{MetaVerb, parse};
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
