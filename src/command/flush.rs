//! `flush_all`.

use super::context::CommandContext;
use super::exptime::deadline_ms;
use crate::store::EPOCH_UNIX_MS;

/// Kills everything stored so far, now or at a later time. 0 and negative times mean now; an
/// absolute time in the past kills what was stored before it.
pub fn flush_all(ctx: &mut CommandContext<'_>, exptime: i64) {
    ctx.counters.cmd_flush.count();
    let at_ms = deadline_ms(exptime, ctx.now());
    if exptime <= 0 {
        ctx.store.flush(ctx.op);
        ctx.op.flushed = true;
    } else if at_ms > ctx.now().boot_ms {
        ctx.store.flush_later(at_ms);
    } else {
        let wall_ms = (exptime as u64 * 1000).saturating_sub(EPOCH_UNIX_MS);
        ctx.op.flushed |= ctx.store.flush_before(wall_ms);
    }
}
