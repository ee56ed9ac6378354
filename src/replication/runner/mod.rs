//! The replication thread: owns the socket to the partner and moves bytes between it and the link.
//!
//! Tasks of their own ([`connect`]) dial the partner or accept it and prove it; what they find
//! arrives here over a channel. [`carry`] then runs the link until it ends; [`leave`] says when the
//! thread of a stopping node may end. All decisions about records are the link's, all decisions
//! about the client port are [`StartupGate`]'s.

mod accept;
mod accepted_link;
mod addresses;
mod authenticate;
mod connect;
mod dial;
mod drain;
mod drive;
mod log;
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

use super::change_queue::ChangeReceiver;
use super::startup::{PartnerEvent, StartupGate};
use crate::limits::{REFUSAL_HOLDS_MS, UNAUTHENTICATED_LINKS_MAX};
use crate::replication::link::{Link, LinkConfig};
use crate::replication::tls::LinkTls;
use crate::store::{Clock, OpContext, Purpose, Reservation, Store};

pub use addresses::PartnerAddresses;
pub use connect::bind;
pub use status::{ExtraStats, LinkState, ReplicationStatus};

use connect::{Absence, ConnectOutcome, Connectors, Dialled};
use drain::DrainState;
use log::LinkLog;

/// How often a node without a link looks at the clock.
const STARTUP_TICK: Duration = Duration::from_millis(50);
/// How often the wall clock is asked again.
const CLOCK_REFRESH_MS: u64 = 100;

/// What the replication thread works with.
#[derive(Debug)]
pub struct ReplicationSetup {
    /// How this node introduces itself; side 0 dials.
    pub link: LinkConfig,
    /// The partner's replication address.
    pub partner: PartnerAddresses,
    /// Bound sockets on which this node is dialled; see [`bind`].
    pub listeners: Vec<TcpListener>,
    /// The pair's key at work.
    pub tls: LinkTls,
    /// How long a starting node waits for an absent partner; `None`: for ever.
    pub patience: Option<Duration>,
    /// The table.
    pub store: Arc<Store>,
    /// Where the workers' dirty keys arrive.
    pub changes: ChangeReceiver,
    /// True from the moment the client port may open.
    pub gate: watch::Sender<bool>,
    /// What `stats replication` reads.
    pub status: Arc<ReplicationStatus>,
}

/// The running replication thread.
#[derive(Debug)]
pub struct ReplicationThread {
    stop: watch::Sender<ShutdownPhase>,
    thread: JoinHandle<()>,
}

/// How far the stop of a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShutdownPhase {
    /// It runs.
    Running,
    /// The clients go; what they still write is streamed.
    ClosingClients,
    /// No worker writes any more: confirm what waits, and end.
    Draining,
}

impl ReplicationThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread or no reactor, or a listener is unusable.
    pub fn spawn(setup: ReplicationSetup) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(ShutdownPhase::Running);
        let thread = Builder::new()
            .name("replication".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match Runner::new(setup, stopped) {
                        Ok(runner) => runner.run().await,
                        Err(error) => tracing::error!(%error, "replication cannot start"),
                    }
                });
                // A lookup under way may take seconds, and nobody needs its answer any more.
                runtime.shutdown_background();
            })?;
        Ok(Self { stop, thread })
    }

    /// Lets go of the gate, for good: the server closes the client port and its connections.
    pub fn close_clients(&self) {
        // Nobody listens if the thread is gone; then its gate is gone as well.
        let _ = self.stop.send(ShutdownPhase::ClosingClients);
    }

    /// Waits until the partner has everything, 5 seconds at most, whether it is linked already or
    /// comes back meanwhile, and ends the thread. The workers must have stopped before.
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
    /// What keys and records on their way to the partner take of the store's memory.
    reservation: Reservation,
    clock: Clock,
    clock_set_ms: u64,
    /// Until when the partner's last refusal counts.
    refused_until_ms: Option<u64>,
    log: LinkLog,
    changes: ChangeReceiver,
    /// `None` once the clients were dismissed.
    gate: Option<watch::Sender<bool>>,
    status: Arc<ReplicationStatus>,
    outcomes: mpsc::Receiver<ConnectOutcome>,
    /// Why the dialled partner counts as absent, since the last link.
    absence: Option<Absence>,
    /// Dropped with this: then they end.
    _connectors: Connectors,
    /// Refusals on their way to nodes that may not replace the link.
    refusals: JoinSet<()>,
    stop: watch::Receiver<ShutdownPhase>,
    drain: DrainState,
}

impl Runner {
    fn new(setup: ReplicationSetup, stop: watch::Receiver<ShutdownPhase>) -> io::Result<Self> {
        let clock = Clock::new();
        let now_ms = clock.now().boot_ms;
        let patience_ms = setup.patience.map(|patience| patience.as_millis() as u64);
        let (found, outcomes) = mpsc::channel(UNAUTHENTICATED_LINKS_MAX);
        let dials = setup.link.side == 0;
        let status = Arc::clone(&setup.status);
        let connectors = Connectors::start(
            dials,
            setup.partner,
            setup.listeners,
            setup.tls,
            found,
            status,
        )?;
        Ok(Self {
            link: Link::new(setup.link),
            startup: StartupGate::of_pair(patience_ms, now_ms),
            reservation: setup.store.reservation(Purpose::Replication),
            store: setup.store,
            clock,
            clock_set_ms: now_ms,
            refused_until_ms: None,
            log: LinkLog::default(),
            changes: setup.changes,
            gate: Some(setup.gate),
            status: setup.status,
            outcomes,
            absence: None,
            _connectors: connectors,
            refusals: JoinSet::new(),
            stop,
            drain: DrainState::default(),
        })
    }

    async fn run(mut self) {
        while !self.may_end() {
            let mut outcome = tokio::select! {
                Ok(()) = self.stop.changed() => None,
                outcome = self.outcomes.recv() => outcome,
                () = sleep(STARTUP_TICK) => None,
            };
            // A link may be replaced by a newer one, and that by another.
            while let Some(found) = outcome.take() {
                outcome = self.on_outcome(found).await;
            }
            self.on_tick();
        }
    }

    /// Runs the link that was found; what replaced it, if something did.
    async fn on_outcome(&mut self, found: ConnectOutcome) -> Option<ConnectOutcome> {
        match found {
            ConnectOutcome::Dialled(dialled) => {
                let Dialled { stream, link_lives } = *dialled;
                let replaced_by = self.drive(stream, &[]).await;
                drop(link_lives);
                return replaced_by;
            }
            ConnectOutcome::Accepted(accepted) => {
                return self.drive(accepted.stream, &accepted.received).await;
            }
            ConnectOutcome::Refused(reason) => self.refused(&reason, false),
            ConnectOutcome::Absent(absence) => self.is_absent(absence),
        }
        None
    }

    /// The dialled partner is not there.
    fn is_absent(&mut self, absence: Absence) {
        let known = self.absence.as_ref();
        let is_news = !known.is_some_and(|known| known.is_like(&absence));
        self.log.absent(&absence, is_news);
        self.absence = Some(absence);
    }

    /// The partner answered, but this cannot become a link. `passes`: it may be over by itself.
    fn refused(&mut self, reason: &str, passes: bool) {
        let now_ms = self.clock.now().boot_ms;
        self.startup.on(PartnerEvent::Refused, now_ms);
        self.refused_until_ms = Some(now_ms + REFUSAL_HOLDS_MS);
        self.status.set_link(LinkState::Refused(reason.to_owned()));
        self.log.refused(reason, passes, self.port_word());
    }

    /// Lets time pass: for the clock, the life of the node and its client port.
    fn on_tick(&mut self) {
        let now_ms = self.clock.now().boot_ms;
        if now_ms >= self.clock_set_ms + CLOCK_REFRESH_MS {
            self.clock.refresh();
            self.clock_set_ms = now_ms;
        }
        if *self.stop.borrow() != ShutdownPhase::Running {
            self.gate = None;
        } else if self.startup.tick(now_ms) {
            let reason = match &self.absence {
                Some(absence) => absence.reason(),
                None => "the partner has not connected",
            };
            tracing::warn!(
                reason,
                "serving alone: start the partner, or check its address and that one node is side \
                 0 and the other side 1"
            );
        }
        if self
            .refused_until_ms
            .is_some_and(|until_ms| now_ms >= until_ms)
        {
            self.refused_until_ms = None;
            if self.status.refusal_is_over() {
                self.log.refusal_is_over();
            }
        }
        // Only the change is published: each publication wakes the acceptor's thread.
        if let Some(gate) = &self.gate
            && self.startup.is_serving()
            && gate.send_if_modified(|is_open| !std::mem::replace(is_open, true))
        {
            tracing::info!("serving clients");
        }
        self.charge_queues();
        self.publish();
    }

    /// Charges what waits for the partner, so that items make room for it.
    fn charge_queues(&mut self) {
        let bytes = self.link.held_bytes() + self.changes.waiting_bytes();
        self.reservation.resize(bytes as u64);
        let mut context = OpContext::at(self.clock.now());
        self.store.free_and_evict(&mut context);
        self.link.mark_dirty(&context.dirty);
    }

    /// Shows others how things stand.
    fn publish(&self) {
        self.status
            .publish(self.startup.state(), self.link.counters());
    }

    /// What the client port does, for the log.
    fn port_word(&self) -> &'static str {
        if self.startup.is_serving() {
            "open"
        } else {
            "stays closed"
        }
    }
}
