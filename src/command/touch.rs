//! `touch`.

use super::get::get_and_touch;
use super::turn::Turn;

/// Gives an item another deadline; false if there is none. A deadline that has passed is a
/// deletion.
pub fn touch(turn: &mut Turn<'_>, key: &[u8], deadline_ms: u64) -> bool {
    get_and_touch(turn, key, deadline_ms, |_| {})
}
