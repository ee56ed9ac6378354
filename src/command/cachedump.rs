//! `stats cachedump`: keys of one class, in steps that other connections are served between.

use super::exptime::expires_unix_secs;
use super::turn::Turn;
use crate::limits::{CACHEDUMP_BYTES_MAX, WALK_STEP_ENTRIES};
use crate::protocol::text::reply;
use crate::store::{Walk, item_flags};

/// A dump that is under way. What is stored or removed meanwhile may be shown or not.
#[derive(Debug)]
pub struct Cachedump {
    walk: Walk,
    class: u8,
    items_left: u32,
    bytes_left: usize,
}

impl Cachedump {
    /// Of the items of a class so many, or all with 0; no more than memcached answers at once.
    pub fn new(class: u8, items_max: u32) -> Self {
        Self {
            walk: Walk::default(),
            class,
            items_left: if items_max == 0 { u32::MAX } else { items_max },
            bytes_left: CACHEDUMP_BYTES_MAX - reply::END.len(),
        }
    }

    /// Shows items of the next few; false when that was all.
    pub fn step(&mut self, turn: &Turn<'_>, out: &mut Vec<u8>) -> bool {
        let Self {
            walk,
            class,
            items_left,
            bytes_left,
        } = self;
        let (store, now) = (turn.store, turn.now());
        // Nothing is to be allocated under the lock of a shard.
        out.reserve(WALK_STEP_ENTRIES * reply::DUMPED_ITEM_BYTES_MAX);
        let goes_on = store.walk_step(walk, |item| {
            // memcached does not show binary keys either.
            let is_shown =
                item.class() == *class && item.item_flags() & item_flags::BASE64_KEY == 0;
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
