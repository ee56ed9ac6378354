//! One node: store, link, and the small part of a server around them.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use fastrand::Rng;

use super::evictions::Evictions;
use super::model::{Model, Written};
use super::protected::Groups;
use crate::limits::ACK_TIMEOUT_MS;
use crate::replication::change_queue::{ChangeReceiver, ChangeSender, Commits, change_queue};
use crate::replication::link::{Link, LinkConfig, LinkError, LinkEvent};
use crate::store::{Now, OpContext, Store, StoreConfig, Timestamp, Version};

#[derive(Debug)]
pub(super) struct SimNode {
    pub(super) side: usize,
    pub(super) incarnation: u64,
    pub(super) store: Store,
    pub(super) link: Link,
    /// Written by the link, not yet taken by the socket.
    pub(super) out: Vec<u8>,
    /// Whether this side takes the current connection for open.
    pub(super) connected: bool,
    /// Crashed, and not started again before this time.
    pub(super) down_until_ms: u64,
    /// Paused (SIGSTOP) until this time.
    pub(super) paused_until_ms: u64,
    /// Serves clients, but its replication thread does not run before this time.
    pub(super) link_stalls_until_ms: u64,
    /// The partner's highest timestamp when the current connection began.
    pub(super) partner_had: Timestamp,
    /// [`Self::partner_had`] of the last connection that came up: later writes here must be higher.
    link_began_at: Timestamp,
    pub(super) wall_offset_ms: i64,
    /// The incarnation of the other node, while the link is up.
    pub(super) linked_to: Option<u64>,
    /// That incarnation, and this node's clock, when the last link ended.
    pub(super) last_link: Option<(u64, Timestamp)>,
    pub(super) evictions: Arc<Evictions>,
    started_ms: u64,
    serving: bool,
    workers: ChangeSender,
    pub(super) changes: ChangeReceiver,
    /// The groups of the worker that serves all clients.
    pub(super) commits: Commits,
    pub(super) groups: Groups,
    next_housekeeping_ms: u64,
    next_tick_ms: u64,
}

/// What a node's boot-time clock shows when the history begins: no two agree.
pub(super) fn boot_offset_ms(side: usize) -> u64 {
    1_000_000 * (side as u64 + 1)
}

impl SimNode {
    pub(super) fn new(side: usize, config: &StoreConfig, incarnation: u64, time_ms: u64) -> Self {
        let link = Link::new(LinkConfig {
            ack_timeout_ms: Some(ACK_TIMEOUT_MS),
            side: side as u8,
            node_id: format!("n{}", side + 1),
            incarnation,
            policy: "nodes=n1,n2".to_owned(),
            listen_addr: String::new(),
            failover_addr: String::new(),
        });
        let store = Store::new(config);
        store.hybrid_clock().begin_incarnation(incarnation);
        let evictions = Arc::new(Evictions::default());
        store.set_background_observer(evictions.clone());
        let (workers, changes) = change_queue(config.limit_bytes, 1);
        let commits = workers.commits(0, ACK_TIMEOUT_MS).unwrap();
        Self {
            side,
            incarnation,
            store,
            link,
            out: Vec::new(),
            connected: false,
            down_until_ms: time_ms,
            paused_until_ms: 0,
            link_stalls_until_ms: 0,
            partner_had: Timestamp::ZERO,
            link_began_at: Timestamp::ZERO,
            wall_offset_ms: 0,
            linked_to: None,
            last_link: None,
            evictions,
            started_ms: time_ms,
            serving: false,
            workers,
            changes,
            commits,
            groups: Groups::default(),
            next_housekeeping_ms: 0,
            next_tick_ms: 0,
        }
    }

    /// This node's clocks: both differ from the other's.
    pub(super) fn now(&self, time_ms: u64) -> Now {
        Now {
            boot_ms: time_ms + boot_offset_ms(self.side),
            wall_ms: (200_000_000_000 + time_ms).saturating_add_signed(self.wall_offset_ms),
        }
    }

    pub(super) fn runs(&self, time_ms: u64) -> bool {
        time_ms >= self.down_until_ms && time_ms >= self.paused_until_ms
    }

    /// Whether the link's thread runs, too.
    pub(super) fn link_runs(&self, time_ms: u64) -> bool {
        self.runs(time_ms) && time_ms >= self.link_stalls_until_ms
    }

    /// Serves once the partner's full sync has ended, or after two seconds without it.
    pub(super) fn serves(&mut self, time_ms: u64) -> bool {
        self.serving |= time_ms >= self.started_ms.max(self.down_until_ms) + 2000;
        self.serving
    }

    /// Another connection replaces the one this node may still believe in.
    pub(super) fn connect(&mut self, time_ms: u64) {
        self.disconnect(time_ms);
        self.connected = true;
        self.link.connected(self.now(time_ms), &self.store);
    }

    pub(super) fn disconnect(&mut self, time_ms: u64) {
        self.connected = false;
        self.out.clear();
        if let Some(life) = self.linked_to.take() {
            self.last_link = Some((life, self.store.hybrid_clock().highest()));
        }
        self.link.disconnected(&self.store, self.now(time_ms));
        self.changes.set_link_up(false);
    }

    /// Called before the first transmit of a link that has come up, as in production.
    pub(super) fn take_events(&mut self, model: &mut Model) -> Result<(), String> {
        while let Some(event) = self.link.take_event() {
            match event {
                LinkEvent::Up { partner } => {
                    self.linked_to = Some(partner.incarnation);
                    model.check_flushed_alone(self.side, &self.store)?;
                    self.link_began_at = self.partner_had;
                    self.changes.set_link_up(true);
                    self.changes.set_waited_for(self.link.is_waited_for());
                    model.sync_begins(self.side, &self.store);
                }
                LinkEvent::PartnerSyncDone => {
                    model.sync_ended(1 - self.side, &self.store)?;
                    self.serving = true;
                }
                LinkEvent::Degraded { .. } => self.changes.set_waited_for(false),
                LinkEvent::Recovered => self.changes.set_waited_for(true),
                LinkEvent::Refused { reason, .. } => return Err(format!("refused: {reason}")),
                _ => {}
            }
        }
        Ok(())
    }

    /// The link's tick, if it is due. Take events after it.
    pub(super) fn tick(&mut self, time_ms: u64) -> Result<(), LinkError> {
        if time_ms < self.next_tick_ms {
            return Ok(());
        }
        self.link.tick(&self.store, self.now(time_ms))
    }

    /// What the link's thread does apart from reading and the tick: takes keys, transmits.
    pub(super) fn drive(&mut self, time_ms: u64, rng: &mut Rng) {
        let now = self.now(time_ms);
        if self.link.is_up() {
            self.take_keys(time_ms);
        }
        let budget_bytes = rng.usize(1..=128 * 1024);
        if self.connected && self.out.is_empty() {
            let sent = self
                .link
                .transmit(&self.store, now, &mut self.out, budget_bytes);
            // The link's own state is right in every history.
            sent.unwrap();
        }
        self.next_tick_ms = time_ms + self.link.next_tick_ms(now);
    }

    /// Moves keys from the change queue to the link, as production does. Polls soon while keys
    /// arrive, and otherwise parks until a worker wakes it.
    pub(super) fn take_keys(&mut self, time_ms: u64) {
        let now = self.now(time_ms);
        if let Some(buckets) = self.changes.take_overflow() {
            self.link.overflowed_in(&buckets);
        }
        let mut came = 0;
        while self.link.has_room() {
            let Some(batch) = self.changes.take() else {
                break;
            };
            self.groups.handed_over(&batch.group(), &self.store, now);
            self.link.commit(&batch.group(), &self.store);
            came += batch.keys.len();
            self.changes.give_back(batch);
        }
        self.changes.mark_taken();
        let mut promoted = Vec::new();
        self.changes.drain_promotions(&mut promoted);
        self.link.promote(&promoted);
        if came > 0 || !self.changes.park() {
            self.changes.poll_soon();
        }
    }

    /// Whether a worker has woken the replication thread.
    pub(super) fn is_woken(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(self.changes.notified()).poll(&mut context).is_ready()
    }

    pub(super) fn housekeeping(&mut self, time_ms: u64) {
        if time_ms < self.next_housekeeping_ms {
            return;
        }
        self.next_housekeeping_ms = time_ms + 500;
        let workers = &self.workers;
        self.store.expire(self.now(time_ms), |context| {
            workers.send(&mut context.dirty);
        });
    }

    /// Sends the changes of a turn, as a worker does after it.
    pub(super) fn send_changes(&mut self, context: &mut OpContext) {
        if context.has_changes() {
            let now_ms = context.now.boot_ms;
            self.commits.release_late(now_ms);
            let _ = self.commits.add(context);
            self.commits.hand_over(now_ms);
        }
        self.workers.send_promotions(&mut context.promoted);
    }

    pub(super) fn wrote(
        &self,
        model: &mut Model,
        which: usize,
        version: Version,
        written: Option<Written>,
    ) {
        assert!(
            version.latest() > self.link_began_at,
            "a timestamp below what the partner had at the hello"
        );
        model.wrote(self.side, which, version, written);
    }
}
