//! One node: store, link, and the small part of a server around them.

use std::collections::VecDeque;

use fastrand::Rng;

use super::model::{KEYS, LARGE_KEY, Model, Written, key, pattern};
use crate::replication::link::{Link, LinkConfig, LinkEvent};
use crate::store::{Action, Batch, ItemHead, NEVER, Now, Stamp, Store, StoreConfig, Version};

/// Batches that wait for the link: few, so that overflows happen.
const CHANNEL_BATCHES: usize = 24;
/// Least bytes of the value that some histories are about: no window holds it.
const LARGE_BYTES: usize = 3 << 20;
/// Longest time to live a client asks for.
pub(super) const TTL_MS_MAX: u64 = 4000;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) side: usize,
    pub(super) store: Store,
    pub(super) link: Link,
    /// Written by the link, not yet taken by the socket.
    pub(super) out: Vec<u8>,
    /// Whether this side believes in the current connection.
    pub(super) connected: bool,
    /// Runs no code before: crashed and not started again.
    pub(super) down_until_ms: u64,
    /// Runs no code before: stopped and continued.
    pub(super) paused_until_ms: u64,
    /// Serves clients, but its link's thread does not run before.
    pub(super) link_stalls_until_ms: u64,
    /// The partner's highest stamp when the current connection began.
    pub(super) partner_had: Stamp,
    /// The same of the last connection that came up: later writes here must be higher.
    met: Stamp,
    pub(super) wall_offset_ms: i64,
    started_ms: u64,
    serving: bool,
    channel: VecDeque<Vec<u64>>,
    overflow: bool,
    next_housekeeping_ms: u64,
    next_tick_ms: u64,
}

impl Node {
    pub(super) fn new(side: usize, config: &StoreConfig, incarnation: u64, time_ms: u64) -> Self {
        let link = Link::new(LinkConfig {
            side: side as u8,
            node_id: format!("n{}", side + 1),
            incarnation,
            policy: "nodes=n1,n2".to_owned(),
        });
        let store = Store::new(config);
        store.stamps().begin_life(incarnation);
        Self {
            side,
            store,
            link,
            out: Vec::new(),
            connected: false,
            down_until_ms: time_ms,
            paused_until_ms: 0,
            link_stalls_until_ms: 0,
            partner_had: Stamp::ZERO,
            met: Stamp::ZERO,
            wall_offset_ms: 0,
            started_ms: time_ms,
            serving: false,
            channel: VecDeque::new(),
            overflow: false,
            next_housekeeping_ms: 0,
            next_tick_ms: 0,
        }
    }

    /// This node's clocks: both differ from the other's.
    pub(super) fn now(&self, time_ms: u64) -> Now {
        Now {
            boot_ms: time_ms + 1_000_000 * (self.side as u64 + 1),
            wall_ms: (200_000_000_000 + time_ms).saturating_add_signed(self.wall_offset_ms),
        }
    }

    pub(super) fn runs(&self, time_ms: u64) -> bool {
        time_ms >= self.down_until_ms && time_ms >= self.paused_until_ms
    }

    /// Serves once its partner was met, or after two seconds alone.
    pub(super) fn serves(&mut self, time_ms: u64) -> bool {
        self.serving |= time_ms >= self.started_ms.max(self.down_until_ms) + 2000;
        self.serving
    }

    pub(super) fn take_events(&mut self, model: &mut Model) -> Result<(), String> {
        while let Some(event) = self.link.take_event() {
            match event {
                LinkEvent::Up { .. } => {
                    self.met = self.partner_had;
                    model.pass_begins(self.side, &self.store);
                }
                LinkEvent::PartnerPassDone => {
                    model.pass_ended(1 - self.side, &self.store)?;
                    self.serving = true;
                }
                LinkEvent::Refused { reason, .. } => return Err(format!("refused: {reason}")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the link's thread runs, too.
    pub(super) fn link_runs(&self, time_ms: u64) -> bool {
        self.runs(time_ms) && time_ms >= self.link_stalls_until_ms
    }

    /// What the link's thread does apart from reading: drains the channel, ticks, transmits.
    pub(super) fn drive(&mut self, time_ms: u64, rng: &mut Rng) -> Result<(), ()> {
        let now = self.now(time_ms);
        if std::mem::take(&mut self.overflow) {
            self.link.overflowed();
        }
        while self.link.has_room() {
            let Some(batch) = self.channel.pop_front() else {
                break;
            };
            self.link.hand_over(&batch);
        }
        if time_ms >= self.next_tick_ms && self.connected {
            self.link.tick(&self.store, now).map_err(|_| ())?;
        }
        let budget_bytes = rng.usize(1..=128 * 1024);
        if self.connected && self.out.is_empty() {
            self.link
                .transmit(&self.store, now, &mut self.out, budget_bytes);
        }
        self.next_tick_ms = time_ms + self.link.next_tick_ms(now);
        Ok(())
    }

    pub(super) fn housekeeping(&mut self, time_ms: u64) {
        if time_ms < self.next_housekeeping_ms {
            return;
        }
        self.next_housekeeping_ms = time_ms + 500;
        let mut dirty = Vec::new();
        self.store
            .expire(self.now(time_ms), |batch| dirty.append(&mut batch.dirty));
        self.hand_over(dirty);
    }

    fn hand_over(&mut self, dirty: Vec<u64>) {
        if dirty.is_empty() {
            return;
        }
        if self.channel.len() < CHANNEL_BATCHES {
            self.channel.push_back(dirty);
        } else {
            self.overflow = true;
        }
    }

    /// One command of one client.
    pub(super) fn client(&mut self, model: &mut Model, time_ms: u64, rng: &mut Rng) {
        let mut batch = Batch::at(self.now(time_ms));
        let busy = model.large && rng.u8(..) < 64;
        let which = if busy { LARGE_KEY } else { rng.usize(..KEYS) };
        let writes = model.foresees(which, &self.store, batch.now);
        match rng.u8(..100) {
            0..88 if !writes => {}
            0..12 if busy => self.set(which, model, &mut batch, time_ms, rng),
            12..14 if busy => self.remove(which, model, &mut batch),
            14..88 if busy => self.touch(which, model, &mut batch, time_ms, rng),
            0..55 => self.set(which, model, &mut batch, time_ms, rng),
            55..78 => self.remove(which, model, &mut batch),
            78..88 => self.touch(which, model, &mut batch, time_ms, rng),
            88..99 => drop(self.store.read(&key(which), &mut batch, |_| ())),
            _ if rng.u8(..) < 64 => drop(self.store.flush(&mut batch)),
            _ => {}
        }
        self.link.promote(&batch.promoted);
        self.hand_over(std::mem::take(&mut batch.dirty));
    }

    fn set(
        &mut self,
        which: usize,
        model: &mut Model,
        batch: &mut Batch,
        time_ms: u64,
        rng: &mut Rng,
    ) {
        let len = match rng.u16(..800) {
            _ if model.is_large(which) => rng.usize(LARGE_BYTES..2 * LARGE_BYTES),
            0..2 => rng.usize(1_050_000..1_500_000),
            2..22 => rng.usize(60_000..250_000),
            _ => rng.usize(..300),
        };
        let ttl_ms = random_ttl(rng).filter(|_| !model.is_large(which));
        let head = ItemHead {
            client_flags: rng.u32(..),
            deadline_ms: ttl_ms.map_or(NEVER, |ttl| batch.now.boot_ms + ttl),
            marks: 0,
            cas: rng.bool().then(|| rng.u64(..)),
        };
        let content = model.next_content(len, ttl_ms.map(|ttl| time_ms + ttl));
        let Ok(mut draft) = self.store.draft(&key(which), &head, len) else {
            // As a server answers it: what could not be replaced is removed.
            return self.remove(which, model, batch);
        };
        draft.fill(|value| pattern(content.id, value));
        let (_, stamp) = self
            .store
            .update(&key(which), batch, |_| (Action::Put(draft), ()));
        let stamp = stamp.expect("a put takes a stamp");
        self.wrote(model, which, Version::written(stamp), Some(content));
    }

    fn wrote(&self, model: &mut Model, which: usize, version: Version, content: Option<Written>) {
        assert!(
            version.latest() > self.met,
            "a stamp below what the partner had at the hello"
        );
        model.wrote(self.side, which, version, content);
    }

    fn remove(&mut self, which: usize, model: &mut Model, batch: &mut Batch) {
        let (_, stamp) = self
            .store
            .update(&key(which), batch, |_| (Action::Remove, ()));
        let stamp = stamp.expect("a delete takes a stamp");
        self.wrote(model, which, Version::written(stamp), None);
    }

    fn touch(
        &mut self,
        which: usize,
        model: &mut Model,
        batch: &mut Batch,
        time_ms: u64,
        rng: &mut Rng,
    ) {
        let ttl_ms = random_ttl(rng).filter(|_| !model.is_large(which));
        let deadline_ms = ttl_ms.map_or(NEVER, |ttl| batch.now.boot_ms + ttl);
        let (before, touched) = self.store.update(&key(which), batch, |found| match found {
            Ok(item) => (Action::Touch(deadline_ms), Some(item.version())),
            Err(_) => (Action::Keep, None),
        });
        if let (Some(before), Some(touched)) = (before, touched) {
            let content = model.content(which, before).map(|written| Written {
                deadline_ms: ttl_ms.map(|ttl| time_ms + ttl),
                ..written
            });
            self.wrote(model, which, Version { touched, ..before }, content);
        }
    }
}

fn random_ttl(rng: &mut Rng) -> Option<u64> {
    (rng.u8(..) < 50).then(|| rng.u64(1..TTL_MS_MAX))
}
