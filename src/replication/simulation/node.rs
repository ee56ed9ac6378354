//! One node: store, link, change queue, startup gate, and the small part of a server around them.

use std::sync::Arc;

use fastrand::Rng;

use super::asking::Waiting;
use super::clocks::Clocks;
use super::evictions::Evictions;
use super::model::Model;
use super::plan::Plan;
use super::protected::Groups;
use crate::limits::ACK_TIMEOUT_MS;
use crate::replication::asked_clients::AskedClients;
use crate::replication::change_queue::{ChangeReceiver, ChangeSender, Commits, change_queue};
use crate::replication::link::{Link, LinkConfig, LinkError, LinkEvent};
use crate::replication::startup::{PartnerEvent, StartupGate, StartupRules};
use crate::stats::{Prefixes, WorkerCounters};
use crate::store::{Now, OpContext, Store, Timestamp};

/// How long a node waits for an absent partner before it serves alone.
pub(super) const PATIENCE_MS: u64 = 2000;
/// From one round of housekeeping to the next.
const HOUSEKEEPING_MS: u64 = 500;

#[derive(Debug)]
pub(super) struct SimNode {
    pub(super) side: usize,
    pub(super) incarnation: u64,
    pub(super) store: Store,
    pub(super) link: Link,
    pub(super) clocks: Clocks,
    pub(super) gate: StartupGate,
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
    pub(super) link_began_at: Timestamp,
    /// The incarnation of the other node, while the link is up.
    pub(super) linked_to: Option<u64>,
    /// That incarnation, and this node's clock, when the last link ended.
    pub(super) last_link: Option<(u64, Timestamp)>,
    pub(super) evictions: Arc<Evictions>,
    pub(super) counters: WorkerCounters,
    pub(super) prefixes: Prefixes,
    pub(super) workers: ChangeSender,
    pub(super) changes: ChangeReceiver,
    /// The groups of the worker that serves all clients; none in `async` mode.
    pub(super) commits: Option<Commits>,
    pub(super) groups: Groups,
    /// Commands that wait for the partner.
    pub(super) waiting: Vec<Waiting>,
    asked_clients: AskedClients,
    budget_frames_max: usize,
    frame_bytes: usize,
    next_housekeeping_ms: u64,
    next_tick_ms: u64,
}

impl SimNode {
    /// A process that starts on this machine at this time.
    pub(super) fn new(
        side: usize,
        plan: &Plan,
        clocks: Clocks,
        incarnation: u64,
        start_ms: u64,
    ) -> Self {
        let link = Link::new(LinkConfig {
            ack_timeout_ms: plan.semi_sync.then_some(ACK_TIMEOUT_MS),
            side: side as u8,
            node_id: format!("n{}", side + 1),
            incarnation,
            policy: "nodes=n1,n2".to_owned(),
            listen_addr: String::new(),
            failover_addr: String::new(),
        });
        let config = plan.store(side);
        let store = Store::new(&config);
        store.hybrid_clock().begin_incarnation(incarnation);
        let evictions = Arc::new(Evictions::on(clocks));
        store.begin_incomplete();
        store.set_background_observer(evictions.clone());
        let waiting_workers = usize::from(plan.semi_sync);
        let (workers, changes) = change_queue(config.limit_bytes, waiting_workers);
        let commits = workers.commits(0, ACK_TIMEOUT_MS);
        let rules = StartupRules {
            patience_ms: Some(PATIENCE_MS),
            opens_at_hello: plan.opens_at_hello,
        };
        let start_boot_ms = clocks.now(start_ms).boot_ms;
        Self {
            side,
            incarnation,
            store,
            link,
            clocks,
            gate: StartupGate::of_pair(rules, start_boot_ms),
            out: Vec::new(),
            connected: false,
            down_until_ms: start_ms,
            paused_until_ms: 0,
            link_stalls_until_ms: 0,
            partner_had: Timestamp::ZERO,
            link_began_at: Timestamp::ZERO,
            linked_to: None,
            last_link: None,
            evictions,
            counters: WorkerCounters::default(),
            prefixes: Prefixes::new(b':', false),
            workers,
            changes,
            commits,
            groups: Groups::default(),
            waiting: Vec::new(),
            asked_clients: AskedClients::default(),
            budget_frames_max: 4,
            frame_bytes: plan.sizes.frame_bytes_max,
            next_housekeeping_ms: 0,
            next_tick_ms: 0,
        }
    }

    pub(super) fn now(&self, time_ms: u64) -> Now {
        self.clocks.now(time_ms)
    }

    pub(super) fn runs(&self, time_ms: u64) -> bool {
        time_ms >= self.down_until_ms && time_ms >= self.paused_until_ms
    }

    /// Whether the link's thread runs, too.
    pub(super) fn link_runs(&self, time_ms: u64) -> bool {
        self.runs(time_ms) && time_ms >= self.link_stalls_until_ms
    }

    /// Another connection replaces the one this node may still believe in.
    pub(super) fn connect(&mut self, time_ms: u64) {
        self.disconnect(time_ms);
        self.connected = true;
        self.link.connected(self.now(time_ms), &self.store);
    }

    pub(super) fn disconnect(&mut self, time_ms: u64) {
        let now = self.now(time_ms);
        self.connected = false;
        self.out.clear();
        if let Some(life) = self.linked_to.take() {
            self.gate.on(PartnerEvent::Down, now.boot_ms);
            self.last_link = Some((life, self.store.hybrid_clock().highest()));
        }
        self.link.disconnected(&self.store, now);
        self.groups.dropped();
        self.changes.set_link_up(false);
    }

    /// Opens the client port if the partner was absent for long enough. Whether it was.
    pub(super) fn tick_gate(&mut self, time_ms: u64) -> Result<bool, String> {
        let opens = self.gate.tick(self.now(time_ms).boot_ms);
        if opens && self.link.is_up() {
            return Err("opened its client port before the partner's table was there".to_owned());
        }
        if opens {
            self.store.complete();
        }
        Ok(opens)
    }

    /// Called before the first transmit of a link that has come up, as in production.
    pub(super) fn take_events(&mut self, model: &mut Model, time_ms: u64) -> Result<(), String> {
        let boot_ms = self.now(time_ms).boot_ms;
        while let Some(event) = self.link.take_event() {
            match event {
                LinkEvent::Up { partner } => {
                    self.linked_to = Some(partner.incarnation);
                    model.check_flushed_alone(self.side, &self.store)?;
                    self.link_began_at = self.partner_had;
                    self.changes.set_link_up(true);
                    self.changes.set_waited_for(self.link.is_waited_for());
                    self.gate.on(PartnerEvent::Up, boot_ms);
                    model.sync_begins(self.side, &self.store);
                }
                LinkEvent::PartnerSyncDone => {
                    model.sync_ended(1 - self.side, &self.store)?;
                    self.gate.on(PartnerEvent::SyncDone, boot_ms);
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
    pub(super) fn drive(&mut self, time_ms: u64, rng: &mut Rng) -> Result<(), String> {
        let now = self.now(time_ms);
        self.asked_clients.take(&self.changes, &mut self.link);
        if self.link.is_up() {
            self.take_keys(now);
        }
        let budget_bytes = rng.usize(1..=self.budget_frames_max * self.frame_bytes);
        if self.connected && self.out.is_empty() {
            let sent = self
                .link
                .transmit(&self.store, now, &mut self.out, budget_bytes);
            sent.map_err(|error| error.to_string())?;
        }
        self.asked_clients.answer(&mut self.link);
        if let Some(sent_ms) = self.link.heartbeat_acked_ms() {
            self.changes.heartbeat_answered(sent_ms);
        }
        self.next_tick_ms = time_ms + self.link.next_tick_ms(now);
        Ok(())
    }

    /// Moves keys from the change queue to the link, as production does. Polls soon while keys
    /// arrive, and otherwise parks until a worker wakes it.
    fn take_keys(&mut self, now: Now) {
        if let Some(buckets) = self.changes.take_overflow() {
            self.link.overflowed_in(&buckets);
            self.groups.dropped();
        }
        let mut came = 0;
        while self.link.has_room() {
            let Some(batch) = self.changes.take() else {
                self.groups.all_taken();
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

    pub(super) fn housekeeping(&mut self, time_ms: u64) {
        if time_ms < self.next_housekeeping_ms {
            return;
        }
        self.next_housekeeping_ms = time_ms + HOUSEKEEPING_MS;
        let now = self.now(time_ms);
        self.store.flush_if_due(now);
        let workers = &self.workers;
        self.store
            .expire(now, |context| workers.send(&mut context.dirty));
    }

    /// Sends the changes of a turn, as a worker does after it.
    pub(super) fn send_changes(&mut self, context: &mut OpContext) {
        match &mut self.commits {
            Some(commits) if context.has_changes() => {
                let now_ms = context.now.boot_ms;
                commits.release_late(now_ms);
                let _ = commits.add(context);
                commits.hand_over(now_ms);
            }
            _ => self.workers.send(&mut context.dirty),
        }
        self.workers.send_promotions(&mut context.promoted);
    }

    /// Whether nothing waits and everything is acknowledged.
    pub(super) fn is_quiet(&self) -> bool {
        self.connected && self.link.is_drained() && self.changes.is_empty()
    }
}
