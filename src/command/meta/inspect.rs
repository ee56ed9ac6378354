//! `me`: what is known of an item, for people.

use super::time::left_secs;
use crate::command::turn::{Turn, count_miss};
use crate::protocol::meta::{Inspection, reply};
use crate::store::classes::counted_bytes;
use crate::store::{Action, Item, item_flags};

/// Answers `me`. Does not count as use.
pub fn inspect(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Inspection<'_>) {
    let now = turn.now();
    let (found, _) = turn.store.update(&request.key, turn.batch, |entry| {
        let shown = entry.map(|item| {
            let (class, size_bytes) = counted(item);
            let shown = reply::Shown {
                key: item.key(),
                in_base64: item.item_flags() & item_flags::BASE64_KEY != 0,
                expires_secs: left_secs(item.deadline_ms(), now),
                idle_secs: item.idle_ms(now) / 1000,
                cas: item.cas(),
                fetched: item.is_fetched(),
                class,
                size_bytes,
            };
            reply::shown(out, &shown);
        });
        (Action::Keep, shown)
    });
    turn.counters.cmd_meta.count();
    if let Err(miss) = found {
        count_miss(turn.counters, miss);
        out.extend_from_slice(b"EN\r\n");
    }
}

/// The slab class memcached would keep an item in, and the bytes it would take there.
pub(in crate::command) fn counted(item: &Item) -> (usize, usize) {
    (item.class().into(), counted_bytes(item))
}
