//! `flush_all`.

use super::exptime::deadline_ms;
use super::turn::Turn;
use crate::store::{EPOCH_UNIX_MS, Timestamp};

/// Kills everything stored so far, now or at a later time. 0 and negative times mean now; an
/// absolute time in the past kills what was stored before it. Returns the flush watermark if it was
/// raised.
pub fn flush_all(turn: &mut Turn<'_>, exptime: i64) -> Option<Timestamp> {
    turn.counters.cmd_flush.count();
    if exptime <= 0 {
        turn.batch.flushed = true;
        return Some(turn.store.flush(turn.batch));
    }
    let at_ms = deadline_ms(exptime, turn.now());
    if at_ms > turn.now().boot_ms {
        turn.store.flush_later(at_ms);
        return None;
    }
    let flush_watermark = turn
        .store
        .flush_before((exptime as u64 * 1000).saturating_sub(EPOCH_UNIX_MS));
    turn.batch.flushed |= flush_watermark.is_some();
    flush_watermark
}
