//! The replication thread: owns the socket to the partner and moves bytes between it and the link.
//!
//! Tasks of [`connect`] dial the partner or accept and authenticate it; they report to this thread
//! over a channel. [`drive`] then runs the link until it ends, and [`drain`] decides when the
//! thread of a stopping node may end. All decisions about records are the link's, all decisions
//! about the client port are [`StartupGate`]'s.

mod accept;
mod accepted_link;
mod addresses;
mod answers;
mod attempt;
mod authenticate;
mod connect;
mod connect_outcome;
mod dial;
mod differences;
mod drain;
mod drive;
mod log;
mod probe;
mod recover;
mod restart;
mod rows;
mod socket;
mod status;
#[cfg(test)]
mod tests;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::asked_clients::AskedClients;
use super::change_queue::ChangeReceiver;
use super::startup::{PartnerEvent, StartupGate, StartupRules};
use crate::limits::{REFUSAL_HOLDS_MS, UNAUTHENTICATED_LINKS_MAX};
use crate::replication::link::{Answer, Link, LinkConfig};
use crate::replication::tls::LinkTls;
use crate::store::{Clock, OpContext, Purpose, Reservation, Store};

pub use addresses::PartnerAddresses;
pub use rows::print_rows;
pub use socket::bind;
pub use status::{LinkState, ReplicationStatus};

use connect::{Connectors, Role};
use connect_outcome::{ConnectOutcome, Dialled, NoLink};
use drain::DrainState;
use log::LinkLog;

/// How often a node without a link checks the time: often enough for `start_alone_after` and for
/// the clock's refresh.
const STARTUP_TICK: Duration = Duration::from_millis(50);
/// How often the wall clock is read, as housekeeping reads it.
const CLOCK_REFRESH_MS: u64 = 100;

/// Everything the replication thread needs.
#[derive(Debug)]
pub struct ReplicationSetup {
    /// How this node describes itself; side 0 dials.
    pub link: LinkConfig,
    /// The partner's replication address.
    pub partner: PartnerAddresses,
    /// Bound sockets on which this node is dialled; see [`bind`].
    pub listeners: Vec<TcpListener>,
    /// TLS with the pair's key.
    pub tls: LinkTls,
    /// When the client port opens.
    pub startup: StartupRules,
    /// The table.
    pub store: Arc<Store>,
    /// The workers' dirty keys.
    pub changes: ChangeReceiver,
    /// True while the client port may be open.
    pub gate: watch::Sender<bool>,
    /// What `stats replication` reads.
    pub status: Arc<ReplicationStatus>,
    /// How long a stopping node waits for the partner to confirm something more.
    pub drain_timeout: Duration,
}

/// A handle to the running replication thread.
#[derive(Debug)]
pub struct ReplicationThread {
    stop: watch::Sender<ShutdownPhase>,
    thread: JoinHandle<()>,
}

/// How far a node has shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShutdownPhase {
    /// It has not begun.
    Running,
    /// Client connections are being closed; what clients still write is replicated.
    ClosingClients,
    /// The workers have ended: give the partner what it lacks, then end.
    Draining,
}

impl ReplicationThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread or a reactor, or a listener cannot be used.
    pub fn spawn(setup: ReplicationSetup) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(ShutdownPhase::Running);
        let runner = {
            let _inside = runtime.enter();
            Runner::new(setup, stopped)?
        };
        let thread = Builder::new()
            .name("replication".to_owned())
            .spawn(move || {
                runtime.block_on(runner.run());
                // A running name lookup may take seconds, and its answer is not needed any more.
                runtime.shutdown_background();
            })?;
        Ok(Self { stop, thread })
    }

    /// Drops the gate: the server closes the client port and its connections.
    pub fn close_clients(&self) {
        // Fails only if the thread has ended, and with it its gate.
        let _ = self.stop.send(ShutdownPhase::ClosingClients);
    }

    /// Waits until the partner has everything, or nothing moves any more, and ends the thread. The
    /// partner may connect meanwhile. The workers must have ended before.
    pub fn drain(self) {
        let _ = self.stop.send(ShutdownPhase::Draining);
        if self.thread.join().is_err() {
            tracing::error!("the replication thread had panicked");
        }
    }
}

/// The thread's state.
struct Runner {
    link: Link,
    startup: StartupGate,
    store: Arc<Store>,
    /// The share of the store's memory for keys and records that are not confirmed.
    reservation: Reservation,
    clock: Clock,
    clock_set_ms: u64,
    /// Until when the partner's last refusal counts.
    refused_until_ms: Option<u64>,
    log: LinkLog,
    changes: ChangeReceiver,
    /// Emptied at once; kept for its memory.
    answers: Vec<Answer>,
    asked_clients: AskedClients,
    /// `None` once the client connections are being closed.
    gate: Option<watch::Sender<bool>>,
    status: Arc<ReplicationStatus>,
    outcomes: mpsc::Receiver<ConnectOutcome>,
    /// What the last attempt to reach the partner came to, since the last link.
    no_link: Option<NoLink>,
    /// The hello with which side 1 looks for side 0 while it waits; `None` on side 0.
    probe: Option<watch::Sender<Option<Vec<u8>>>>,
    /// The tasks end when this is dropped.
    _connectors: Connectors,
    /// Last words being sent on connections that do not become the link.
    farewells: JoinSet<()>,
    stop: watch::Receiver<ShutdownPhase>,
    drain: DrainState,
}

impl Runner {
    fn new(setup: ReplicationSetup, stop: watch::Receiver<ShutdownPhase>) -> io::Result<Self> {
        let clock = Clock::new();
        let now_ms = clock.now().boot_ms;
        let (found, outcomes) = mpsc::channel(UNAUTHENTICATED_LINKS_MAX);
        let (role, probe) = if setup.link.side == 0 {
            (Role::Dials, None)
        } else {
            let (sender, probe) = watch::channel(None);
            (Role::IsDialled { probe }, Some(sender))
        };
        setup.store.begin_incomplete();
        let status = Arc::clone(&setup.status);
        let connectors = Connectors::start(
            role,
            setup.partner,
            setup.listeners,
            setup.tls,
            found,
            status,
        )?;
        Ok(Self {
            link: Link::new(setup.link),
            startup: StartupGate::of_pair(setup.startup, now_ms),
            reservation: setup.store.reservation(Purpose::Replication),
            store: setup.store,
            clock,
            clock_set_ms: now_ms,
            refused_until_ms: None,
            log: LinkLog::default(),
            changes: setup.changes,
            answers: Vec::new(),
            asked_clients: AskedClients::default(),
            gate: Some(setup.gate),
            status: setup.status,
            outcomes,
            no_link: None,
            probe,
            _connectors: connectors,
            farewells: JoinSet::new(),
            stop,
            drain: DrainState::new(setup.drain_timeout),
        })
    }

    /// Runs until the node has shut down, whatever panics meanwhile. A panic of a node that drains
    /// ends it: the same one might keep it from ever stopping.
    async fn run(mut self) {
        while recover::catch_panic(self.run_until_drained())
            .await
            .is_err()
        {
            self.recover();
            if *self.stop.borrow() == ShutdownPhase::Draining {
                return;
            }
            sleep(recover::RECOVERY_PAUSE).await;
        }
    }

    async fn run_until_drained(&mut self) {
        while !self.may_end() {
            let mut outcome = tokio::select! {
                Ok(()) = self.stop.changed() => None,
                outcome = self.outcomes.recv() => outcome,
                () = sleep(STARTUP_TICK) => None,
            };
            // A link may be replaced by a newer one, and that one in turn.
            while let Some(found) = outcome.take() {
                outcome = self.on_outcome(found).await;
            }
            // A lift goes on without a link. There is no partner to be silent, so it cannot fail.
            let _ = self.link.tick(&self.store, self.clock.now());
            self.take_events();
            self.take_asks();
            self.give_answers();
            self.on_tick();
        }
    }

    /// Handles a connect outcome; runs the link if it is one. Returns what replaced that link.
    async fn on_outcome(&mut self, found: ConnectOutcome) -> Option<ConnectOutcome> {
        match found {
            ConnectOutcome::Dialled(dialled) => {
                let Dialled { stream, link_lives } = *dialled;
                let replaced_by = self.drive(stream, &[]).await;
                drop(link_lives);
                return replaced_by;
            }
            ConnectOutcome::Accepted(accepted) => {
                let refusal = accepted.refusal(&self.link, self.clock.now());
                if refusal.is_none() && accepted.is_probe(&self.link) {
                    self.close_probe(*accepted);
                    return None;
                }
                return self.drive(accepted.stream, &accepted.received).await;
            }
            ConnectOutcome::Refused {
                reason,
                is_temporary,
            } => self.on_refused(&reason, is_temporary),
            ConnectOutcome::NoLink(found) => self.on_no_link(found),
        }
        None
    }

    /// An attempt to reach the partner led to no link.
    fn on_no_link(&mut self, found: NoLink) {
        if let NoLink::Unresponsive(_) = found {
            let now_ms = self.clock.now().boot_ms;
            self.startup.on(PartnerEvent::Unresponsive, now_ms);
        }
        let known = self.no_link.as_ref();
        let is_new_kind = !known.is_some_and(|known| known.is_like(&found));
        self.log.no_link(&found, is_new_kind, self.port_word());
        self.no_link = Some(found);
    }

    /// One node refused the other. `is_temporary`: the reason may go away by itself.
    fn on_refused(&mut self, reason: &str, is_temporary: bool) {
        let now_ms = self.clock.now().boot_ms;
        self.startup.on(PartnerEvent::Refused, now_ms);
        self.refused_until_ms = Some(now_ms + REFUSAL_HOLDS_MS);
        self.status.set_link(LinkState::Refused(reason.to_owned()));
        self.log.refused(reason, is_temporary, self.port_word());
    }

    /// What is due as time passes: the wall clock, the start, the end of a refusal, the memory of
    /// queued keys.
    fn on_tick(&mut self) {
        #[cfg(test)]
        self.status.panic_if_wanted();
        // The clock.
        let now_ms = self.clock.now().boot_ms;
        if now_ms >= self.clock_set_ms + CLOCK_REFRESH_MS {
            self.clock.refresh();
            self.clock_set_ms = now_ms;
        }
        // The wait for an absent partner.
        if *self.stop.borrow() != ShutdownPhase::Running {
            self.gate = None;
        } else if self.startup.tick(now_ms) {
            self.store.complete();
            let reason = match &self.no_link {
                Some(found) => found.reason(),
                None => "the partner has not connected",
            };
            tracing::warn!(
                reason,
                "serving alone: start the partner, or check its address and that one node is side \
                 0 and the other side 1"
            );
        }
        // The end of a refusal.
        if self
            .refused_until_ms
            .is_some_and(|until_ms| now_ms >= until_ms)
        {
            self.refused_until_ms = None;
            if self.status.refusal_is_over() {
                self.log.refusal_is_over();
            }
        }
        if let Some(sent_ms) = self.link.heartbeat_acked_ms() {
            self.changes.heartbeat_answered(sent_ms);
        }
        self.move_gate();
        self.want_probe();
        self.charge_queues();
        self.publish();
    }

    /// Opens or closes the client port. Only a change is published: each one wakes the acceptor's
    /// thread.
    fn move_gate(&mut self) {
        let Some(gate) = &self.gate else { return };
        let opens = self.startup.is_serving();
        if !gate.send_if_modified(|is_open| std::mem::replace(is_open, opens) != opens) {
            return;
        }
        if opens {
            tracing::info!("serving clients");
        } else {
            self.log.port_closed();
        }
    }

    /// Has side 1 look for side 0 while it waits for it.
    fn want_probe(&self) {
        let Some(probe) = &self.probe else { return };
        let wanted = self.startup.is_waiting() && self.gate.is_some();
        if probe.borrow().is_some() != wanted {
            let hello = || self.link.hello_frame(&self.store, self.clock.now());
            probe.send_replace(wanted.then(hello));
        }
    }

    /// Charges the queues to the partner to the store's memory, and evicts items for them.
    fn charge_queues(&mut self) {
        let bytes = self.link.held_bytes() + self.changes.waiting_bytes();
        self.reservation.resize(bytes as u64);
        let mut context = OpContext::at(self.clock.now());
        self.store.free_and_evict(&mut context);
        self.link.mark_dirty(&context.dirty);
    }

    /// Publishes state and counters for `stats replication`.
    fn publish(&self) {
        self.status
            .publish(self.startup.state(), self.link.counters());
    }

    /// The state of the client port, for the log.
    fn port_word(&self) -> &'static str {
        if self.startup.is_serving() {
            "open"
        } else {
            "stays closed"
        }
    }
}
