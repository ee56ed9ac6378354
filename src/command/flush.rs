//! `flush_all`.

use super::context::CommandContext;
use super::exptime::deadline_ms;
use crate::store::{EPOCH_UNIX_MS, Timestamp};

/// Kills everything stored so far, now or at a later time. 0 and negative times mean now; an
/// absolute time in the past kills what was stored before it. Returns the flush watermark if it was
/// raised.
pub fn flush_all(ctx: &mut CommandContext<'_>, exptime: i64) -> Option<Timestamp> {
    ctx.counters.cmd_flush.count();
    if exptime <= 0 {
        ctx.op.flushed = true;
        return Some(ctx.store.flush(ctx.op));
    }
    let at_ms = deadline_ms(exptime, ctx.now());
    if at_ms > ctx.now().boot_ms {
        ctx.store.flush_later(at_ms);
        return None;
    }
    let flush_watermark = ctx
        .store
        .flush_before((exptime as u64 * 1000).saturating_sub(EPOCH_UNIX_MS));
    ctx.op.flushed |= flush_watermark.is_some();
    flush_watermark
}
