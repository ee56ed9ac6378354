//! Client commands at a node.

use fastrand::Rng;

use super::model::{Model, Written, pattern};
use super::node::SimNode;
use super::plan::Mix;
use crate::store::{Action, ItemHead, NEVER, OpContext, Version, item_flags};

/// The key of a large value that is touched and written all the time, in histories with one.
pub(super) const LARGE_KEY: usize = 0;
/// The least length of that value: longer than any window.
const LARGE_BYTES: usize = 3 << 20;
/// Longest time to live a client asks for.
pub(super) const TTL_MS_MAX: u64 = 4000;
/// Batches in a burst. The most are more than may wait between the workers and the link.
const BURST_BATCHES: std::ops::Range<usize> = 500..2500;

/// One turn of one client.
pub(super) struct ClientTurn<'a> {
    pub(super) model: &'a mut Model,
    pub(super) rng: &'a mut Rng,
    pub(super) time_ms: u64,
    pub(super) mix: Mix,
    pub(super) context: OpContext,
}

impl SimNode {
    /// One command of one client.
    pub(super) fn client(&mut self, turn: &mut ClientTurn<'_>) {
        let plan = turn.model.plan;
        let busy = plan.large && turn.rng.u8(..) < 64;
        let which = if busy {
            LARGE_KEY
        } else {
            turn.rng.usize(..plan.keys)
        };
        if plan.bursts && turn.rng.u16(..150) == 0 {
            return self.burst(which, turn);
        }
        match (turn.rng.u8(..100), turn.mix) {
            (0..12, _) if busy => self.set(which, turn),
            (12..14, _) if busy => self.remove(which, turn),
            (14..88, _) if busy => self.touch(which, turn),
            (0..85, Mix::Deleting) => self.remove(which, turn),
            (0..85, Mix::Filling) | (0..55, Mix::Mixed) => self.set(which, turn),
            (55..78, Mix::Mixed) => self.remove(which, turn),
            (..88, _) => self.touch(which, turn),
            (88..99, _) => {
                let key = turn.model.key(which);
                let _ = self.store.read(key, &mut turn.context, |_| ());
            }
            _ if turn.rng.u8(..) < 64 => {
                self.store.flush(&mut turn.context);
                let alone = &mut turn.model.alone[self.side];
                alone.has_flushed |= !alone.has_met;
            }
            _ => {}
        }
        self.send_changes(&mut turn.context);
    }

    /// Sends one key in many batches, and writes it in the last. The others only fill the change
    /// queue: as many writes in a millisecond would use the timestamps of another incarnation.
    fn burst(&mut self, which: usize, turn: &mut ClientTurn<'_>) {
        let slot = turn.model.keys[which].slot;
        for _ in 0..turn.rng.usize(BURST_BATCHES) {
            turn.context.dirty.push(slot);
            self.send_changes(&mut turn.context);
            if self.is_woken() && self.link_runs(turn.time_ms) {
                self.take_keys(turn.time_ms);
            }
        }
        self.set(which, turn);
        self.send_changes(&mut turn.context);
    }

    fn set(&mut self, which: usize, turn: &mut ClientTurn<'_>) {
        let is_large = turn.model.is_large(which);
        let rng = &mut *turn.rng;
        let len = match (turn.mix, rng.u16(..800)) {
            _ if is_large => rng.usize(LARGE_BYTES..2 * LARGE_BYTES),
            (Mix::Filling, _) => rng.usize(1000..5000),
            (_, 0..2) => rng.usize(1_050_000..1_500_000),
            (_, 2..22) => rng.usize(60_000..250_000),
            _ => rng.usize(..300),
        };
        let ttl_ms = random_ttl(rng).filter(|_| !is_large);
        let head = ItemHead {
            client_flags: rng.u32(..),
            deadline_ms: ttl_ms.map_or(NEVER, |ttl| turn.context.now.boot_ms + ttl),
            item_flags: random_item_flags(rng),
            cas: rng.bool().then(|| rng.u64(..)),
        };
        let written = Written {
            id: turn.model.next_id(),
            len,
            client_flags: head.client_flags,
            cas: head.cas,
            item_flags: head.item_flags,
            deadline_ms: ttl_ms.map(|ttl| turn.time_ms + ttl),
        };
        let key = turn.model.key(which);
        let Ok(mut pending) = self.store.pending_item(key, &head, len) else {
            // As the server does: a value that could not be replaced is removed.
            return self.remove(which, turn);
        };
        pending.fill(|value| pattern(written.id, value));
        let (_, timestamp) = self
            .store
            .update(key, &mut turn.context, |_| (Action::Put(pending), ()));
        let timestamp = timestamp.expect("a put takes a timestamp");
        self.wrote(
            turn.model,
            which,
            Version::written(timestamp),
            Some(written),
        );
    }

    fn remove(&mut self, which: usize, turn: &mut ClientTurn<'_>) {
        let key = turn.model.key(which);
        let (_, timestamp) = self
            .store
            .update(key, &mut turn.context, |_| (Action::Remove, ()));
        let timestamp = timestamp.expect("a delete takes a timestamp");
        self.wrote(turn.model, which, Version::written(timestamp), None);
    }

    /// Changes the deadline, and half of the time the item flags, too.
    fn touch(&mut self, which: usize, turn: &mut ClientTurn<'_>) {
        let ttl_ms = random_ttl(turn.rng).filter(|_| !turn.model.is_large(which));
        let deadline_ms = ttl_ms.map_or(NEVER, |ttl| turn.context.now.boot_ms + ttl);
        let new_flags = turn.rng.bool().then(|| random_item_flags(turn.rng));
        let is_read = turn.rng.bool();
        let action = match new_flags {
            None => Action::Touch(deadline_ms),
            Some(item_flags) => Action::Amend {
                deadline_ms,
                item_flags,
                is_read,
            },
        };
        let key = turn.model.key(which);
        let (before, touched) = self
            .store
            .update(key, &mut turn.context, |found| match found {
                Ok(item) => (action, Some(item.version())),
                Err(_) => (Action::Keep, None),
            });
        if let (Some(before), Some(touched)) = (before, touched) {
            let history = &turn.model.keys[which];
            let before = history.version_in(&self.store, self.link.lift(), before);
            let written = history
                .written_at(self.side, before)
                .map(|written| Written {
                    deadline_ms: ttl_ms.map(|ttl| turn.time_ms + ttl),
                    item_flags: new_flags.unwrap_or(written.item_flags),
                    ..written
                });
            let version = Version { touched, ..before };
            self.wrote(turn.model, which, version, written);
        }
    }
}

fn random_ttl(rng: &mut Rng) -> Option<u64> {
    (rng.u8(..) < 50).then(|| rng.u64(1..TTL_MS_MAX))
}

fn random_item_flags(rng: &mut Rng) -> u8 {
    if rng.bool() {
        rng.u8(..) & item_flags::ALL
    } else {
        0
    }
}
