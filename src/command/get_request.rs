//! What a lookup asks for, and what it has found.

use super::exptime::is_due;
use crate::store::{Item, Now, marks};

/// What a lookup does beside showing the item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetRequest {
    /// Gives the item this deadline, in boot-time milliseconds.
    pub touch: Option<u64>,
    /// Creates an empty item where nothing is.
    pub vivify: Option<Vivify>,
    /// The caller recaches what it wins.
    pub recache: Option<Recache>,
    /// Does not count as use.
    pub is_unused: bool,
    /// When the item was used before is shown.
    pub shows_history: bool,
    /// A miss counts as one of a `get`, though a hit would count as one of a `touch`.
    pub missed_touch_is_get: bool,
}

/// The empty item to be created; the caller has won it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vivify {
    /// Boot-time milliseconds.
    pub deadline_ms: u64,
    /// Its CAS unique; else its stamp.
    pub cas: Option<u64>,
}

/// Which items a caller wins that nobody else has won; by default what is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recache {
    /// Also what expires before this, in boot-time milliseconds, by whole seconds.
    pub before_ms: u64,
    /// This request's own touch counts.
    pub after_touch: bool,
}

/// What a lookup has found.
#[derive(Debug)]
pub struct Found<'a> {
    /// The item before this request; `None` if an empty one was created.
    pub item: Option<&'a Item>,
    /// Its CAS unique.
    pub cas: u64,
    /// It is stale.
    pub stale: bool,
    /// Somebody has won it before.
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
        let stale = item.marks() & marks::STALE != 0;
        let token_sent = item.marks() & marks::TOKEN_SENT != 0;
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
