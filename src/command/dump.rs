//! Dumps of all keys, in steps.

use super::meta::counted;
use super::turn::Turn;
use crate::limits::{DUMP_TURN_BYTES, DUMP_TURN_STEPS, WALK_STEP_ENTRIES};
use crate::protocol::text::dump::{self, Dumped};
use crate::protocol::text::{Classes, DumpFormat};
use crate::store::{Item, NEVER, Now, Walk, marks};

/// Appends the lines of the next items of `classes`, as many as one turn may take; false when
/// there are no more. What has expired is left out.
pub fn dump(
    turn: &Turn<'_>,
    out: &mut Vec<u8>,
    walk: &mut Walk,
    format: DumpFormat,
    classes: Classes,
) -> bool {
    let store = turn.store;
    let now = turn.now();
    for _ in 0..DUMP_TURN_STEPS {
        if out.len() >= DUMP_TURN_BYTES {
            return true;
        }
        // Nothing is to be allocated under the lock of a shard.
        out.reserve(WALK_STEP_ENTRIES * dump::LINE_BYTES_MAX);
        let more = store.walk_step(walk, |item| {
            if store.is_live(item, now) {
                line(out, item, format, classes, now);
            }
        });
        if !more {
            return false;
        }
    }
    true
}

fn line(out: &mut Vec<u8>, item: &Item, format: DumpFormat, classes: Classes, now: Now) {
    let (class, size_bytes) = counted(item);
    if !classes.contain(class) {
        return;
    }
    if format == DumpFormat::Mg {
        let in_base64 = item.marks() & marks::BASE64_KEY != 0;
        return dump::mg_line(out, item.key(), in_base64);
    }
    let expires_unix_secs = match item.deadline_ms() {
        NEVER => -1,
        deadline_ms => {
            let left_secs = deadline_ms.saturating_sub(now.boot_ms).div_ceil(1000);
            now.unix_secs().saturating_add(left_secs) as i64
        }
    };
    let dumped = Dumped {
        key: item.key(),
        expires_unix_secs,
        used_unix_secs: now.unix_secs().saturating_sub(item.idle_ms(now) / 1000),
        cas: item.cas(),
        fetched: item.is_fetched(),
        class,
        size_bytes,
        client_flags: item.client_flags(),
    };
    dump::meta_line(out, &dumped);
}
