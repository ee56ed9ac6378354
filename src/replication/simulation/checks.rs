//! What must hold at every moment.

use super::clocks::{Clocks, DRIFT_PPM_MAX};
use super::content::{Content, Seen, SeenHead, deadline_of};
use super::model::{KeyHistory, Model};
use super::node::SimNode;
use crate::store::{Item, Store, Timestamp};

/// A history takes no longer, in simulated time.
const HISTORY_MS_MAX: i64 = 120_000;
/// By how much two nodes may differ about a deadline, apart from delays: their clocks drift apart
/// after they were compared, and all times are whole milliseconds.
const DEADLINE_SLACK_MS: i64 = HISTORY_MS_MAX * 2 * DRIFT_PPM_MAX / 1_000_000 + 2;

impl Model {
    /// Looks at every key of a node: nothing shows that was never written, with other bytes or
    /// another head, or that this node was already told to be replaced.
    pub(super) fn observe(&mut self, node: &SimNode) -> Result<(), String> {
        let is_short = self.is_short();
        let side = node.side;
        let has_met = self.alone[side].has_met;
        let flush_watermark = node.store.flush_watermark();
        for (which, history) in self.keys.iter_mut().enumerate() {
            let Some(item) = live(history, &node.store, flush_watermark) else {
                continue;
            };
            let version = history.version_in(node, item.version());
            let known = &mut history.sides[side];
            let told = known.told.max(known.held);
            if version < told && !(is_short && version.timestamp == told.timestamp) {
                return Err(format!(
                    "key {which} returned: {version:?} on {side} after {told:?}"
                ));
            }
            let is_new = std::mem::replace(&mut known.compared, version) != version;
            let Some(written) = history.made_at(side, version, has_met).flatten() else {
                return Err(format!(
                    "key {which}, {version:?} on {side}: lives, but nobody wrote it"
                ));
            };
            let checked = history.check(node, &item, written, is_new);
            checked.map_err(|what| format!("key {which}, {version:?} on {side}: {what}"))?;
        }
        Ok(())
    }

    /// How many entries a store keeps that no client can see: deletions, and what was flushed.
    pub(super) fn unseen_entries(&self, store: &Store) -> usize {
        let flush_watermark = store.flush_watermark();
        let entries = self.keys.iter().filter_map(|history| history.entry(store));
        let is_unseen =
            |item: &Item| item.is_tombstone() || item.version().timestamp < flush_watermark;
        entries.filter(is_unseen).count()
    }
}

impl KeyHistory {
    fn check(
        &self,
        node: &SimNode,
        item: &Item,
        written: Content,
        is_new: bool,
    ) -> Result<(), String> {
        let head = SeenHead::of(item);
        if head != written.head() {
            return Err(format!("has {head:?}, not {:?}", written.head()));
        }
        if is_new && Seen::of(item) != written.seen {
            return Err("has other bytes than were written".to_owned());
        }
        self.check_deadline(node.side, item, written, &node.clocks)
    }

    /// The deadline is no earlier than a client has set it, and later only by what the receiver did
    /// not know of the sender's clock.
    fn check_deadline(
        &self,
        side: usize,
        item: &Item,
        written: Content,
        clocks: &Clocks,
    ) -> Result<(), String> {
        let shown_ms = deadline_of(item, clocks);
        let wanted_ms = written.deadline_ms;
        let late_ms = self.sides[side].late_ms(item.version()).unwrap_or(0);
        let is_right = match (shown_ms, wanted_ms) {
            (None, None) => true,
            (Some(shown_ms), Some(wanted_ms)) => {
                (-DEADLINE_SLACK_MS..=late_ms + DEADLINE_SLACK_MS).contains(&(shown_ms - wanted_ms))
            }
            _ => false,
        };
        if is_right {
            return Ok(());
        }
        Err(format!(
            "the deadline is {shown_ms:?}, not {wanted_ms:?} and up to {late_ms} ms"
        ))
    }
}

/// What clients may see of a key, unless it has expired.
pub(super) fn live(
    history: &KeyHistory,
    store: &Store,
    flush_watermark: Timestamp,
) -> Option<Item> {
    let item = history.entry(store)?;
    (!item.is_tombstone() && item.version().timestamp >= flush_watermark).then_some(item)
}
