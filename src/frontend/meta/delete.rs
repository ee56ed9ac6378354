//! `md`: deletes, or marks as stale, or takes the value away.

use super::flags::{deadline_of, status};
use crate::command::{self, DeleteRequest, Deleted, Remains};
use crate::frontend::executor::Executor;
use crate::protocol::meta::MetaRequest;
use crate::protocol::text::reply;

/// Executes `md` and answers it.
pub(super) fn delete(exec: &mut Executor<'_, '_>, request: &MetaRequest<'_>) {
    let options = &request.options;
    let emptied = options.remove_value.then_some(options.client_flags);
    let has_deadline = options.remove_value || options.exptime.is_some();
    let now = exec.ctx.now();
    let remains = Remains {
        emptied,
        stale: options.stale,
        cas: options.cas,
        deadline_ms: has_deadline.then(|| deadline_of(options.exptime, now)),
    };
    let asked = DeleteRequest {
        compare: options.compare,
        remains: (options.stale || options.remove_value).then_some(remains),
        name: "md",
        mismatch_is_miss: true,
    };
    let out = &mut exec.out.bytes;
    match command::delete(exec.ctx, &request.key.bytes, &asked) {
        Deleted::Deleted if options.quiet => {}
        Deleted::Deleted => status(out, "HD", request),
        Deleted::Exists => status(out, "EX", request),
        Deleted::NotFound => status(out, "NF", request),
        Deleted::NoMemory => reply::line(out, "SERVER_ERROR out of memory"),
    }
}
