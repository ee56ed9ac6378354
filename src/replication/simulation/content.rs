//! What a client sees of a version of a key: equal on both nodes if the versions are.

use super::clocks::Clocks;
use crate::store::{Item, NEVER};

/// The state that a client's command has made. The deadline is compared apart, because the receiver
/// of a record knows the sender's clock only roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) seen: Seen,
    /// Simulated time.
    pub(super) deadline_ms: Option<i64>,
}

/// All of it but the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    head: SeenHead,
    value_digest: u64,
}

/// All that can be compared without reading the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeenHead {
    value_len: usize,
    client_flags: u32,
    cas: Option<u64>,
    item_flags: u8,
}

impl Content {
    /// The content of an item of the node with these clocks.
    pub(super) fn of(item: &Item, clocks: &Clocks) -> Self {
        Self {
            seen: Seen::of(item),
            deadline_ms: deadline_of(item, clocks),
        }
    }

    pub(super) fn head(&self) -> SeenHead {
        self.seen.head
    }
}

impl Seen {
    pub(super) fn of(item: &Item) -> Self {
        Self {
            head: SeenHead::of(item),
            value_digest: digest(item.value()),
        }
    }
}

impl SeenHead {
    pub(super) fn of(item: &Item) -> Self {
        Self {
            value_len: item.value().len(),
            client_flags: item.client_flags(),
            cas: item.cas_override(),
            item_flags: item.item_flags(),
        }
    }
}

/// The deadline of an item in simulated time.
pub(super) fn deadline_of(item: &Item, clocks: &Clocks) -> Option<i64> {
    let deadline_ms = Some(item.deadline_ms()).filter(|&deadline_ms| deadline_ms != NEVER);
    deadline_ms.map(|deadline_ms| clocks.time_ms(deadline_ms))
}

/// Not a secure hash: no two values of a history have the same by accident.
fn digest(value: &[u8]) -> u64 {
    let (words, rest) = value.as_chunks::<8>();
    let mix = |hash: u64, word: u64| {
        (hash ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    };
    let hash = words.iter().fold(value.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    });
    rest.iter()
        .fold(hash, |hash, &byte| mix(hash, u64::from(byte)))
}

/// Fills a value with bytes that differ from one `id` to the next.
pub(super) fn fill(id: u64, value: &mut [u8]) {
    for (index, chunk) in value.chunks_mut(8).enumerate() {
        let word = (id << 32 | index as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}
