//! `get`, `gets`, `gat`, `gats`: one key at a time.

use super::context::{Turn, count_miss};
use super::output::Output;
use crate::protocol::text::reply;
use crate::store::{Action, Item};

/// What to do with each key of a retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// Show the CAS unique.
    pub with_cas: bool,
    /// Give the item this deadline first, see [`super::deadline_ms`].
    pub touch: Option<u64>,
    /// Show nothing: the line ends in an error.
    pub is_refused: bool,
}

/// Answers one key; a miss answers nothing.
pub fn retrieve(turn: &mut Turn<'_>, out: &mut Output, key: &[u8], how: Retrieval) {
    match how.touch {
        None => get(turn, key, |item| show(out, item, how.with_cas)),
        Some(deadline_ms) => {
            get_and_touch(turn, key, deadline_ms, |item| show(out, item, how.with_cas))
        }
    };
}

/// Does what `retrieve` does, and answers nothing.
pub fn look_up(turn: &mut Turn<'_>, key: &[u8], how: Retrieval) {
    match how.touch {
        None => get(turn, key, |_| {}),
        Some(deadline_ms) => get_and_touch(turn, key, deadline_ms, |_| {}),
    };
}

/// Shows an item, under its lock; false if there is none.
pub fn get(turn: &mut Turn<'_>, key: &[u8], show: impl FnOnce(&Item)) -> bool {
    let found = turn.store.read(key, turn.batch, show);
    if let Some(prefixes) = turn.prefixes.if_on() {
        prefixes.count_get(key, found.is_ok());
    }
    turn.counters.cmd_get.count();
    match found {
        Ok(()) => turn.met().get_hits.count(),
        Err(miss) => {
            turn.counters.get_misses.count();
            count_miss(turn.counters, miss);
        }
    }
    found.is_ok()
}

/// The same for an item that is given another deadline.
pub fn get_and_touch(
    turn: &mut Turn<'_>,
    key: &[u8],
    deadline_ms: u64,
    show: impl FnOnce(&Item),
) -> bool {
    let found = touch_and_show(turn, key, deadline_ms, show);
    if let Some(prefixes) = turn.prefixes.if_on() {
        prefixes.count_get(key, found);
    }
    found
}

/// The same, counted as `touch` only.
pub(super) fn touch_and_show(
    turn: &mut Turn<'_>,
    key: &[u8],
    deadline_ms: u64,
    show: impl FnOnce(&Item),
) -> bool {
    let is_removal = turn.store.puts_as_removal(deadline_ms, turn.now());
    let (found, _) = turn.store.update(key, turn.batch, |entry| match entry {
        Err(miss) => (Action::Keep, Err(miss)),
        Ok(item) => {
            show(item);
            (
                if is_removal {
                    Action::Remove
                } else {
                    Action::Touch(deadline_ms)
                },
                Ok(()),
            )
        }
    });
    turn.counters.cmd_touch.count();
    match found {
        Ok(()) => turn.met().touch_hits.count(),
        Err(miss) => {
            turn.counters.touch_misses.count();
            count_miss(turn.counters, miss);
        }
    }
    found.is_ok()
}

fn show(out: &mut Output, item: &Item, with_cas: bool) {
    let cas = with_cas.then(|| item.cas());
    let len = item.value().len();
    reply::value_head(&mut out.bytes, item.key(), item.client_flags(), len, cas);
    out.push_value(item);
    out.bytes.extend_from_slice(b"\r\n");
}
