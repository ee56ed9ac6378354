//! A `stats cachedump` in progress.

use crate::command::{CommandContext, expires_unix_secs};
use crate::limits::{CACHEDUMP_BYTES_MAX, CACHEDUMP_LINE_BYTES_MAX, WALK_STEP_ENTRIES};
use crate::protocol::text::reply;
use crate::store::{Walk, item_flags};

/// A dump in progress. Items stored or removed meanwhile may be shown or not.
#[derive(Debug)]
pub(super) struct Cachedump {
    walk: Walk,
    class: u8,
    items_left: u32,
    bytes_left: usize,
}

impl Cachedump {
    /// Of the items of a class so many, or all with 0; no more than memcached answers at once.
    pub(super) fn new(class: u8, items_max: u32) -> Self {
        Self {
            walk: Walk::default(),
            class,
            items_left: if items_max == 0 { u32::MAX } else { items_max },
            bytes_left: CACHEDUMP_BYTES_MAX - reply::END.len(),
        }
    }

    /// Shows items of the next few; false when that was all.
    pub(super) fn step(&mut self, ctx: &CommandContext<'_>, out: &mut Vec<u8>) -> bool {
        let Self {
            walk,
            class,
            items_left,
            bytes_left,
        } = self;
        let (store, now) = (ctx.store, ctx.now());
        // No allocation under the lock of a shard.
        out.reserve(WALK_STEP_ENTRIES * CACHEDUMP_LINE_BYTES_MAX);
        let goes_on = store.walk_step(walk, |item| {
            // memcached does not show binary keys either.
            let is_shown = item.class() == *class && !item.has_flag(item_flags::BASE64_KEY);
            if *items_left == 0 || !is_shown || !store.is_live(item, now) {
                return;
            }
            let expires_secs = expires_unix_secs(item.deadline_ms(), now).unwrap_or_default();
            let start = out.len();
            reply::dumped_item(out, item.key(), item.value().len(), expires_secs);
            match bytes_left.checked_sub(out.len() - start) {
                Some(left) => {
                    *bytes_left = left;
                    *items_left -= 1;
                }
                None => {
                    out.truncate(start);
                    *items_left = 0;
                }
            }
        });
        goes_on && self.items_left > 0
    }
}
