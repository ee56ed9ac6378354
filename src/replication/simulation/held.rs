//! What a node takes for held by its partner, against what the partner has held.

use super::model::Model;
use super::node::SimNode;
use crate::store::{Item, NEVER};

impl Model {
    /// Of each node: its count of unprotected items is that of its table, and what it takes for
    /// held by the partner's present process, that has held, or something newer.
    pub(super) fn check_held(&self, nodes: &[SimNode; 2], time_ms: u64) -> Result<(), String> {
        for (node, partner) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            let side = node.side;
            let counted = node.store.audit_unprotected();
            counted.map_err(|what| format!("side {side}: {what}"))?;
            if node.linked_to == Some(partner.incarnation) {
                self.check_protected_items(node, partner, time_ms)?;
            }
        }
        Ok(())
    }

    /// Once everything has settled, each node knows exactly which of its items the other one holds,
    /// those aside that may expire at any moment.
    pub(super) fn check_settled(&self, nodes: &[SimNode; 2], time_ms: u64) -> Result<(), String> {
        for (node, partner) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            let now = node.now(time_ms);
            for (which, history) in self.keys.iter().enumerate() {
                let lasts =
                    |item: &Item| node.store.is_live(item, now) && item.deadline_ms() == NEVER;
                let Some(item) = history.entry(&node.store).filter(lasts) else {
                    continue;
                };
                let there = history.entry(&partner.store);
                let there = there.filter(|there| !there.is_tombstone());
                let there = there.map(|there| there.version());
                let is_there = there.is_some_and(|there| there >= item.version());
                if node.store.is_protected(&item) != is_there {
                    return Err(format!(
                        "key {which}: side {} has {:?}, the partner {there:?}, and the former does \
                         not know",
                        node.side,
                        item.version()
                    ));
                }
            }
        }
        Ok(())
    }

    /// What has expired on the way was sent as a removal.
    fn check_protected_items(
        &self,
        node: &SimNode,
        partner: &SimNode,
        time_ms: u64,
    ) -> Result<(), String> {
        let now = node.now(time_ms);
        for (which, history) in self.keys.iter().enumerate() {
            let Some(item) = history.entry(&node.store) else {
                continue;
            };
            if !node.store.is_live(&item, now) || !node.store.is_protected(&item) {
                continue;
            }
            let (version, seen) = (item.version(), history.sides[partner.side].held);
            let is_flushed = version.timestamp < partner.store.flush_watermark();
            if version > seen && !is_flushed {
                return Err(format!(
                    "key {which}: side {} takes {version:?} for held by the partner, which has \
                     held no more than {seen:?}",
                    node.side
                ));
            }
        }
        Ok(())
    }
}
