//! The request of a lookup, and its result.

use super::exptime::is_due;
use crate::store::{Item, Now, item_flags};

/// How to look an item up, and what else to do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetRequest {
    /// Set this deadline, in boot-time milliseconds.
    pub touch: Option<u64>,
    /// Create an empty item if there is none.
    pub vivify: Option<Vivify>,
    /// The caller may win the right to recache the item.
    pub recache: Option<Recache>,
    /// Do not bump the item or flag it as fetched.
    pub is_unused: bool,
    /// `show` reads the time of the last use and the fetched flag, as they were before.
    pub shows_history: bool,
    /// With a `touch`, count a miss in `get_misses` instead of `touch_misses`.
    pub missed_touch_is_get: bool,
}

/// The empty item to create; the caller has won it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vivify {
    /// Boot-time milliseconds.
    pub deadline_ms: u64,
    /// Its CAS unique; by default its timestamp.
    pub cas: Option<u64>,
}

/// Which items without a winner the caller wins; by default stale ones only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recache {
    /// Also items that expire before this, in boot-time milliseconds, compared in whole seconds.
    pub before_ms: u64,
    /// Compare the deadline after this request's touch, not before.
    pub after_touch: bool,
}

/// The result of a lookup.
#[derive(Debug)]
pub struct Found<'a> {
    /// The item before this request; `None` if an empty one was created.
    pub item: Option<&'a Item>,
    /// Its CAS unique.
    pub cas: u64,
    /// It is stale.
    pub stale: bool,
    /// An earlier request has won it.
    pub token_sent: bool,
    /// This request wins it.
    pub won: bool,
}

impl GetRequest {
    pub(super) fn only_reads(&self) -> bool {
        let recaches_early = self.recache.is_some_and(|recache| recache.before_ms > 0);
        let changes = self.touch.is_some() || self.vivify.is_some() || recaches_early;
        !changes && !self.is_unused && !self.shows_history
    }
}

impl<'a> Found<'a> {
    pub(super) fn of(item: &'a Item, request: &GetRequest, now: Now) -> Self {
        let stale = item.has_flag(item_flags::STALE);
        let token_sent = item.has_flag(item_flags::TOKEN_SENT);
        let wins = |recache: Recache| {
            let touched = request.touch.filter(|_| recache.after_touch);
            let deadline_ms = touched.unwrap_or_else(|| item.deadline_ms());
            stale || recache.before_ms > 0 && is_due(deadline_ms, recache.before_ms, now)
        };
        Self {
            item: Some(item),
            cas: item.cas(),
            stale,
            token_sent,
            won: !token_sent && request.recache.is_some_and(wins),
        }
    }

    pub(super) fn created(cas: u64) -> Self {
        Self {
            item: None,
            cas,
            stale: false,
            token_sent: false,
            won: true,
        }
    }
}
