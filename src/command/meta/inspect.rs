//! `me`: what is known of an item, for people.

use super::time::left_secs;
use crate::command::turn::{Turn, count_miss};
use crate::protocol::meta::{Inspection, reply};
use crate::store::{Action, Item, marks};

/// What memcached keeps beside key, client flags and value.
const MEMCACHED_ITEM_BYTES: usize = 48 + 8 + 1 + 2;
/// memcached's smallest slab class.
const CLASS_BYTES_MIN: usize = 96;
/// Its largest one.
const CLASS_BYTES_MAX: usize = 512 << 10;

/// Answers `me`. Does not count as use.
pub fn inspect(turn: &mut Turn<'_>, out: &mut Vec<u8>, request: &Inspection<'_>) {
    let now = turn.now();
    let (found, _) = turn.store.update(&request.key, turn.batch, |entry| {
        let shown = entry.map(|item| {
            let (class, size_bytes) = counted(item);
            let shown = reply::Shown {
                key: item.key(),
                in_base64: item.marks() & marks::BASE64_KEY != 0,
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
    let flags_bytes = if item.client_flags() == 0 { 0 } else { 4 };
    let item_bytes = item.key().len() + flags_bytes + item.value().len();
    let size_bytes = MEMCACHED_ITEM_BYTES + item_bytes;
    (class_of(size_bytes), size_bytes)
}

/// The slab class memcached would choose with its default settings: each is a quarter larger than
/// the one before, rounded up to 8 bytes.
fn class_of(size_bytes: usize) -> usize {
    let (mut class, mut class_bytes) = (1, CLASS_BYTES_MIN);
    while class_bytes < size_bytes {
        class += 1;
        let grown = class_bytes + class_bytes / 4;
        if grown * 5 / 4 >= CLASS_BYTES_MAX {
            break;
        }
        class_bytes = grown.next_multiple_of(8);
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `stats slabs` of memcached 1.6.45 names them.
    #[test]
    fn classes_are_those_of_memcached() {
        assert_eq!(class_of(61), 1);
        assert_eq!(class_of(96), 1);
        assert_eq!(class_of(97), 2);
        assert_eq!(class_of(120), 2);
        assert_eq!(class_of(121), 3);
        assert_eq!(class_of(1 << 20), 39);
    }
}
