//! Slab classes, as `lru_crawler` names them.

use super::super::number;
use crate::limits::{CLASS_LIST_BYTES_MAX, CLASSES};

/// Slab classes to be visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassFilter {
    /// `all`: one after the other.
    All,
    /// `hash`: all items in the order of the hash table.
    Hash,
    /// A list; class `n` is bit `n`.
    Listed(u64),
}

impl ClassFilter {
    /// `None` if the list names a class that cannot be.
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        let word = &word[..word.len().min(CLASS_LIST_BYTES_MAX)];
        match word {
            b"all" => return Some(Self::All),
            b"hash" => return Some(Self::Hash),
            _ => {}
        }
        let ids = word.split(|&byte| byte == b',').filter(|id| !id.is_empty());
        ids.map(number::client_flags)
            .map(|id| id.filter(|id| (1..(CLASSES as u32)).contains(id)))
            .try_fold(0, |listed, id| Some(listed | 1 << id?))
            .map(Self::Listed)
    }

    /// Whether a class is among them.
    pub fn contain(self, class: usize) -> bool {
        match self {
            Self::All | Self::Hash => true,
            Self::Listed(listed) => class < 64 && listed & 1 << class != 0,
        }
    }

    /// Whether there are none.
    pub fn are_none(self) -> bool {
        self == Self::Listed(0)
    }
}
