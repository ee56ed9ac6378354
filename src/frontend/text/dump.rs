//! `lru_crawler metadump` and `mgdump`: the dump takes many turns, and the client's next command
//! waits.

use crate::command::{CommandContext, expires_unix_secs};
use crate::frontend::crawler::DumpTurn;
use crate::frontend::flow::Flow;
use crate::limits::{DUMP_LINE_BYTES_MAX, DUMP_TURN_BYTES, DUMP_TURN_STEPS, WALK_STEP_ENTRIES};
use crate::protocol::text::{ClassFilter, DumpFormat, dump};
use crate::store::classes::counted_bytes;
use crate::store::{Item, Now, Walk, item_flags};

/// A dump and how far it has come.
#[derive(Debug)]
pub struct Dump {
    format: DumpFormat,
    classes: ClassFilter,
    turn: DumpTurn,
    walk: Walk,
}

impl Dump {
    pub(crate) fn new(format: DumpFormat, classes: ClassFilter, turn: DumpTurn) -> Self {
        Self {
            format,
            classes,
            turn,
            walk: Walk::default(),
        }
    }

    /// Continues the dump; returns why the turn ends, or `None` at the end of the dump.
    pub(super) fn go_on(&mut self, ctx: &CommandContext<'_>, out: &mut Vec<u8>) -> Option<Flow> {
        if !self.turn.advance(ctx.now().boot_ms) {
            return Some(Flow::Close);
        }
        if self.lines(ctx, out) {
            return Some(Flow::Yield);
        }
        out.extend_from_slice(match self.format {
            DumpFormat::Meta => dump::META_END,
            DumpFormat::Mg => dump::MG_END,
        });
        None
    }

    /// Appends the lines of the next items, as many as fit a turn; false when there are no more.
    /// Expired items are left out.
    fn lines(&mut self, ctx: &CommandContext<'_>, out: &mut Vec<u8>) -> bool {
        let (store, now) = (ctx.store, ctx.now());
        for _ in 0..DUMP_TURN_STEPS {
            if out.len() >= DUMP_TURN_BYTES {
                return true;
            }
            // No allocation under the lock of a shard.
            out.reserve(WALK_STEP_ENTRIES * DUMP_LINE_BYTES_MAX);
            let more = store.walk_step(&mut self.walk, |item| {
                if store.is_live(item, now) {
                    line(out, item, self.format, self.classes, now);
                }
            });
            if !more {
                return false;
            }
        }
        true
    }
}

fn line(out: &mut Vec<u8>, item: &Item, format: DumpFormat, classes: ClassFilter, now: Now) {
    let class = item.class().into();
    if !classes.contain(class) {
        return;
    }
    if format == DumpFormat::Mg {
        let in_base64 = item.has_flag(item_flags::BASE64_KEY);
        return dump::mg_line(out, item.key(), in_base64);
    }
    let dumped = dump::Dumped {
        key: item.key(),
        expires_unix_secs: expires_unix_secs(item.deadline_ms(), now).map_or(-1, |at| at as i64),
        used_unix_secs: now.unix_ms_at(item.used_boot_ms(now)) / 1000,
        cas: item.cas(),
        fetched: item.is_fetched(),
        class,
        size_bytes: counted_bytes(item),
        client_flags: item.client_flags(),
    };
    dump::meta_line(out, &dumped);
}

/// A dump shows the same times whenever it is taken. `exp` was the sum of the time of the dump and
/// the time left, each rounded to seconds, and `la` their difference: nearly every key showed two
/// values in turn, and who compared two dumps found all keys changed.
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::command::deadline_ms;
    use crate::limits::WALL_JITTER_MS;
    use crate::store::{Action, Clock, ItemHead, OpContext, Store, StoreConfig};

    const BOOT_MS: u64 = 1_000_000_000;
    const WALL_MINUS_BOOT_MS: i64 = 200_000_000_000;

    /// A store with one item that was put at `now`.
    fn store_with_item(exptime: i64, now: Now) -> Store {
        let store = Store::new(&StoreConfig::of_a_test());
        let head = ItemHead {
            deadline_ms: deadline_ms(exptime, now),
            ..ItemHead::default()
        };
        let pending = store.pending_item(b"key", &head, 1).unwrap();
        store.update(b"key", &mut OpContext::at(now), |_| {
            (Action::Put(pending), ())
        });
        store
    }

    /// `exp` and `la` of the only item.
    fn shown(store: &Store, now: Now) -> (i64, u64) {
        let (mut walk, mut out) = (Walk::default(), Vec::new());
        while store.walk_step(&mut walk, |item| {
            line(&mut out, item, DumpFormat::Meta, ClassFilter::All, now);
        }) {}
        let text = String::from_utf8(out).unwrap();
        let number = |name: &str| {
            let word = text.split(' ').find_map(|word| word.strip_prefix(name));
            word.unwrap().parse::<i64>().unwrap()
        };
        (number("exp="), number("la=") as u64)
    }

    #[test]
    fn every_dump_shows_the_same_times() {
        let mut rng = fastrand::Rng::with_seed(9);
        let jitter_ms = WALL_JITTER_MS as i64 / 2;
        for part_ms in (0..1000).step_by(7) {
            let clock = Clock::measured(WALL_MINUS_BOOT_MS);
            let put_at = clock.at(BOOT_MS + part_ms);
            let store = store_with_item(1000, put_at);
            let mut all = BTreeSet::new();
            for _ in 0..100 {
                clock.take(WALL_MINUS_BOOT_MS + rng.i64(-jitter_ms..=jitter_ms));
                all.insert(shown(&store, clock.at(put_at.boot_ms + rng.u64(0..5000))));
            }
            assert_eq!(all.len(), 1, "put {part_ms} ms after a second: {all:?}");
            let (expires, used) = all.pop_first().unwrap();
            let put_at_secs = put_at.unix_secs();
            let ttl_secs = expires as u64 - put_at_secs;
            assert!((1000..=1001).contains(&ttl_secs), "{ttl_secs}");
            assert!((0..=1).contains(&(put_at_secs - used)), "{used}");
        }
    }

    /// What a client has set as a Unix time shows as that, though the wall clock was set by up to
    /// half a second since.
    #[test]
    fn an_absolute_time_shows_as_it_was_set() {
        for part_ms in (0..1000).step_by(7) {
            let clock = Clock::measured(WALL_MINUS_BOOT_MS);
            let put_at = clock.at(BOOT_MS + part_ms);
            let expires = put_at.unix_secs() as i64 + 5_000_000;
            let store = store_with_item(expires, put_at);
            for step_ms in [0, 1, -1, 300, -300, 499, -500] {
                clock.take(WALL_MINUS_BOOT_MS + step_ms);
                let now = clock.at(put_at.boot_ms + 10_000);
                assert_eq!(shown(&store, now).0, expires, "{step_ms}");
            }
        }
    }
}
