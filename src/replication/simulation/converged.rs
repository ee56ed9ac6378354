//! What must hold once everything has healed.

use super::checks::live;
use super::content::Content;
use super::model::{KeyHistory, Model};
use crate::store::{NEVER, Store, Timestamp, Version};

/// An item takes no more beside its value.
const ITEM_OVERHEAD_BYTES_MAX: u64 = 2048;

impl Model {
    /// What every client must see on both sides. A side that is short of memory may lack a key, if
    /// it has evicted or refused it.
    pub(super) fn check_converged(&self, stores: [&Store; 2], time_ms: u64) -> Result<(), String> {
        let flush_watermark = self.flush_watermark;
        for (side, store) in stores.iter().enumerate() {
            if store.flush_watermark() != flush_watermark {
                return Err(format!(
                    "the flush watermark of side {side} is {:?}, not {flush_watermark:?}",
                    store.flush_watermark()
                ));
            }
            let dropped = &store.counters().tombstones_dropped;
            if dropped.load(std::sync::atomic::Ordering::Relaxed) > 0 {
                return Err(format!(
                    "side {side} has dropped tombstones: a plan with too little"
                ));
            }
        }
        for (which, history) in self.keys.iter().enumerate() {
            let lives = history.lives(history.best, flush_watermark, time_ms);
            for (side, store) in stores.into_iter().enumerate() {
                let shown = live(history, store, flush_watermark);
                let wanted = match &shown {
                    Some(item) if self.is_short() => history.left_by_eviction(item.version()),
                    _ => history.best,
                };
                let is_right = match &shown {
                    None => !lives || (self.is_short() && history.is_loss_explained(side)),
                    Some(item) if history.lives(wanted, flush_watermark, time_ms) => {
                        item.version() == wanted.0
                    }
                    Some(item) => item.deadline_ms() != NEVER && item.version() == wanted.0,
                };
                if !is_right {
                    let shown = shown.map(|item| item.version());
                    return Err(format!("key {which} on {side}: {shown:?}, not {wanted:?}"));
                }
            }
        }
        Ok(())
    }
}

impl Model {
    /// A key that a node refused and that its partner still holds, if it would fit by now.
    pub(super) fn find_fitting(&self, stores: [&Store; 2]) -> Option<String> {
        let flush_watermark = self.flush_watermark;
        for (which, history) in self.keys.iter().enumerate() {
            for side in [0, 1] {
                let (here, there) = (stores[side], stores[1 - side]);
                let known = &history.sides[side];
                let version = history.best.0;
                if known.held == version || !known.refused.contains(&version) {
                    continue;
                }
                let Some(item) = live(history, there, flush_watermark) else {
                    continue;
                };
                let (key_len, value_len) = (history.key.len(), item.value().len());
                let memory = here.memory();
                let after_bytes = memory.used_bytes + value_len as u64 + ITEM_OVERHEAD_BYTES_MAX;
                let is_sent = item.version() == version && item.deadline_ms() == NEVER;
                if is_sent
                    && history.entry(here).is_none()
                    && here.fits(key_len, item.client_flags(), value_len)
                    && after_bytes <= memory.budget_bytes / 20 * 19
                {
                    return Some(format!("key {which} fits on {side} and is not there"));
                }
            }
        }
        None
    }
}

impl KeyHistory {
    fn lives(
        &self,
        best: (Version, Option<Content>),
        flush_watermark: Timestamp,
        time_ms: u64,
    ) -> bool {
        let (version, content) = best;
        let in_time = |content: Content| {
            content
                .deadline_ms
                .is_none_or(|at_ms| at_ms > time_ms as i64)
        };
        version.timestamp >= flush_watermark && content.is_some_and(in_time)
    }

    /// A node that has held what still lives, and shows nothing, must have evicted it. One that has
    /// never held it has refused it, or its partner has evicted it before.
    fn is_loss_explained(&self, side: usize) -> bool {
        let version = self.best.0;
        let [here, partner] = [side, 1 - side].map(|side| &self.sides[side]);
        if here.held == version {
            return here.evicted.contains(&version);
        }
        here.refused.contains(&version) || partner.evicted.contains(&version)
    }

    /// What an eviction leaves where the partner had the value and not the last touch: the value,
    /// with a deadline that is no later.
    fn left_by_eviction(&self, shown: Version) -> (Version, Option<Content>) {
        let deadline_of = |content: Content| content.deadline_ms.unwrap_or(i64::MAX);
        let (best, content) = self.best;
        match (self.written(shown), content) {
            (Some(left), Some(content))
                if shown.timestamp == best.timestamp
                    && deadline_of(left) <= deadline_of(content) =>
            {
                (shown, Some(left))
            }
            _ => self.best,
        }
    }
}
