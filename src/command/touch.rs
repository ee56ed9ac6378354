//! `touch`.

use super::context::Turn;
use super::get::touch_and_show;

/// Gives an item another deadline; false if there is none.
pub fn touch(turn: &mut Turn<'_>, key: &[u8], deadline_ms: u64) -> bool {
    touch_and_show(turn, key, deadline_ms, |_| {})
}
