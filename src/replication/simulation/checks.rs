//! What must hold at every moment, and what must hold once everything has healed.

use super::model::{KeyHistory, Model, Written, pattern};
use super::node::boot_offset_ms;
use crate::store::{Item, Lift, NEVER, Now, Store, Timestamp, Version};

/// Values from this length on are compared once for each time they are written, not touched.
const COMPARED_ONCE_BYTES: usize = 1 << 20;

impl Model {
    /// Looks at every key of a node: nothing shows that was never written, with other bytes or
    /// another head, or that this node has already seen replaced; and nothing counts as confirmed
    /// that the partner has never held.
    pub(super) fn observe(
        &mut self,
        side: usize,
        store: &Store,
        lift: Option<&Lift>,
        now: Now,
    ) -> Result<(), String> {
        let evicts = self.evicts();
        let flush_watermark = store.flush_watermark();
        for (which, history) in self.keys.iter_mut().enumerate() {
            let Some(item) = live(history, store, flush_watermark) else {
                continue;
            };
            let version = history.version_in(store, lift, item.version());
            let seen = history.seen[side];
            if version < seen && !(evicts && version.timestamp == seen.timestamp) {
                return Err(format!(
                    "key {which} returned: {version:?} on {side} after {seen:?}"
                ));
            }
            let compared = std::mem::replace(&mut history.compared[side], version);
            let is_new = if item.value().len() < COMPARED_ONCE_BYTES {
                compared != version
            } else {
                compared.timestamp != version.timestamp
            };
            let checked = history.check(side, (&item, version), is_new, now);
            checked.map_err(|what| format!("key {which}, {version:?} on {side}: {what}"))?;
        }
        Ok(())
    }

    /// How many deletions a store keeps for the partner.
    pub(super) fn tombstones(&self, store: &Store) -> usize {
        let entries = self.keys.iter().filter_map(|history| history.entry(store));
        entries.filter(Item::is_tombstone).count()
    }

    /// After everything has healed: what every client must see on both sides. A side that is short
    /// of memory may lack a key.
    pub(super) fn check_converged(&self, stores: [&Store; 2], time_ms: u64) -> Result<(), String> {
        let flush_watermark = stores[0].flush_watermark();
        if flush_watermark != stores[1].flush_watermark() {
            return Err(format!(
                "flush floors differ: {flush_watermark:?} and {:?}",
                stores[1].flush_watermark()
            ));
        }
        for (which, history) in self.keys.iter().enumerate() {
            let shown = stores.map(|store| live(history, store, flush_watermark));
            let lives = history.lives(history.best, flush_watermark, time_ms);
            for (side, shown) in shown.iter().enumerate() {
                let wanted = match shown {
                    Some(item) if self.evicts() => history.left_by_eviction(item.version()),
                    _ => history.best,
                };
                let right = match shown {
                    None => !lives || (self.evicts() && history.is_loss_explained(side)),
                    Some(item) if history.lives(wanted, flush_watermark, time_ms) => {
                        item.version() == wanted.0
                    }
                    Some(item) => item.deadline_ms() != NEVER && item.version() == wanted.0,
                };
                if !right {
                    let shown = shown.as_ref().map(Item::version);
                    return Err(format!("key {which} on {side}: {shown:?}, not {wanted:?}"));
                }
            }
        }
        Ok(())
    }
}

impl KeyHistory {
    fn lives(
        &self,
        best: (Version, Option<Written>),
        flush_watermark: Timestamp,
        time_ms: u64,
    ) -> bool {
        let (version, content) = best;
        let in_time = |written: Written| written.deadline_ms.is_none_or(|at_ms| at_ms > time_ms);
        version.timestamp >= flush_watermark && content.is_some_and(in_time)
    }

    /// A node that has held what still lives, and shows nothing, must have evicted it. The node
    /// that made it has held it, so nothing is on neither node without an eviction.
    fn is_loss_explained(&self, side: usize) -> bool {
        let version = self.best.0;
        self.seen[side] != version || self.evicted[side].contains(&version)
    }

    /// What an eviction leaves where the partner had the value and not the last touch: the value,
    /// with a deadline that is no later.
    fn left_by_eviction(&self, shown: Version) -> (Version, Option<Written>) {
        let deadline_of = |written: Written| written.deadline_ms.unwrap_or(u64::MAX);
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

    fn check(
        &self,
        side: usize,
        (item, version): (&Item, Version),
        is_new: bool,
        now: Now,
    ) -> Result<(), String> {
        let written = self.check_head(side, item, version)?;
        if is_new {
            check_bytes(item, written)?;
        }
        if item.is_expired(now) {
            return Ok(());
        }
        self.check_confirmed(side, item, version)
    }

    /// Flags, CAS and item flags are those that a client set, and the deadline is no earlier, and
    /// later only by what the receiver did not know of the sender's clock.
    fn check_head(&self, side: usize, item: &Item, version: Version) -> Result<Written, String> {
        let Some(written) = self.written_at(side, version) else {
            return Err("lives, but nobody wrote it".to_owned());
        };
        let head = (item.client_flags(), item.cas_override(), item.item_flags());
        let wanted = (written.client_flags, written.cas, written.item_flags);
        if head != wanted {
            return Err(format!(
                "flags, CAS, item_flags are {head:?}, not {wanted:?}"
            ));
        }
        let shown_ms = Some(item.deadline_ms()).filter(|&deadline_ms| deadline_ms != NEVER);
        let shown_ms = shown_ms.map(|deadline_ms| deadline_ms - boot_offset_ms(side));
        let late_ms = self.late_ms[side].get(&version).copied().unwrap_or(0);
        let right = match (shown_ms, written.deadline_ms) {
            (None, None) => true,
            (Some(shown_ms), Some(wanted_ms)) => {
                (wanted_ms..=wanted_ms + late_ms).contains(&shown_ms)
            }
            _ => false,
        };
        let wanted_ms = written.deadline_ms;
        if !right {
            return Err(format!(
                "the deadline is {shown_ms:?}, not {wanted_ms:?} and up to {late_ms} ms"
            ));
        }
        Ok(written)
    }

    /// What a node takes for confirmed, its partner has held in this life, or something newer.
    fn check_confirmed(&self, side: usize, item: &Item, version: Version) -> Result<(), String> {
        let partner = self.seen[1 - side];
        let before_crash = self.confirmed_before_crash[side];
        let is_false = item.is_confirmed()
            && version > partner
            && version.timestamp >= self.flushed_below[1 - side]
            && version != before_crash;
        let is_value_false = item.is_value_confirmed()
            && version.timestamp > partner.timestamp
            && version.timestamp != before_crash.timestamp;
        if is_false || is_value_false {
            return Err(format!(
                "counts as confirmed, but the partner has held no more than {partner:?}"
            ));
        }
        Ok(())
    }
}

fn live(history: &KeyHistory, store: &Store, flush_watermark: Timestamp) -> Option<Item> {
    let item = history.entry(store)?;
    (!item.is_tombstone() && item.version().timestamp >= flush_watermark).then_some(item)
}

fn check_bytes(item: &Item, written: Written) -> Result<(), String> {
    let mut bytes = vec![0; written.len];
    pattern(written.id, &mut bytes);
    if item.value() == bytes {
        Ok(())
    } else {
        Err("has other bytes than were written".to_owned())
    }
}
