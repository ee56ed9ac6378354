//! The loop that drives a link: reads, writes, takes dirty keys, and keeps time.
//!
//! Reading never waits for writing: each wait polls both. Output is made only when the last output
//! is written, so it is bounded. While keys arrive, they are taken once a millisecond.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout};

use super::accepted_link::AcceptedLink;
use super::authenticate::{LinkAuthError, LinkStream, shows_other_key};
use super::connect_outcome::ConnectOutcome;
use super::status::LinkState;
use super::{Runner, ShutdownPhase};
use crate::limits::{
    CHANGE_QUEUE_BATCHES_MAX, LINK_READ_BYTES, LINK_WRITE_BYTES, SILENCE_MS,
    UNAUTHENTICATED_LINKS_MAX,
};
use crate::replication::link::{LinkError, LinkEvent, Refusal, RefusalKind};
use crate::replication::startup::PartnerEvent;
use crate::store::Now;

/// How long keys collect while they arrive: long enough to share a wake-up and a write, and far
/// below what a client notices.
const BATCH_INTERVAL: Duration = Duration::from_millis(1);
const CLOSED: &str = "the partner closed the connection";

/// Why a link has ended.
pub(super) enum LinkEnd {
    /// The socket failed or was closed.
    Socket(io::Error),
    /// The link failed or was refused.
    Link(LinkError),
    /// A newer connection replaces it.
    Replaced(ConnectOutcome),
    /// The node stops.
    Stopping,
}

/// What ended a wait.
enum Happened {
    /// Bytes read into the scratch buffer; 0: all output is written.
    Socket(io::Result<usize>),
    Found(ConnectOutcome),
    /// A worker woke the thread, a tick is due, or the node stops.
    Other,
}

/// When the change queue is polled next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PollMode {
    /// In this turn of the loop.
    Now,
    /// At that moment, so that keys collect.
    Batch(Instant),
    /// When a worker wakes the thread.
    Parked,
}

impl Runner {
    /// Runs the link on an authenticated connection until it ends. Returns the connection that
    /// replaced it, if one did. `received` was read from the connection already.
    pub(super) async fn drive(
        &mut self,
        stream: LinkStream,
        received: &[u8],
    ) -> Option<ConnectOutcome> {
        let mut wire = Wire::new(stream);
        self.link.connected(self.clock.now(), &self.store);
        let ending = match self.on_bytes(received) {
            Ok(()) => self.drive_until_end(&mut wire).await,
            Err(error) => LinkEnd::Link(error),
        };
        if let LinkEnd::Link(_) | LinkEnd::Stopping = ending {
            self.send_last_frames(&mut wire).await;
        }
        self.note_partner(&ending, wire.closed_cleanly);
        self.on_link_down(ending)
    }

    async fn drive_until_end(&mut self, wire: &mut Wire) -> LinkEnd {
        let mut mode = PollMode::Now;
        loop {
            // Time.
            let now = self.clock.now();
            let ticked = self.link.tick(&self.store, now);
            self.take_events();
            if let Err(error) = ticked {
                return LinkEnd::Link(error);
            }
            // Keys in, frames out.
            self.take_asks();
            if self.link.is_up() {
                mode = self.take_keys(mode);
            }
            if wire.is_written() {
                let output = &mut wire.output;
                let sent = self
                    .link
                    .transmit(&self.store, now, output, LINK_WRITE_BYTES);
                if let Err(error) = sent {
                    return LinkEnd::Link(error);
                }
                self.take_events();
            }
            self.give_answers();
            self.on_tick();
            if *self.stop.borrow_and_update() == ShutdownPhase::Draining {
                let overdue = self.is_overdue();
                if overdue || (self.has_drained() && wire.is_written()) {
                    return LinkEnd::Stopping;
                }
            }
            // Bytes in, or whatever comes first.
            match self.wait(wire, mode, now).await {
                Happened::Socket(Ok(0)) => {}
                Happened::Socket(Ok(read)) => {
                    if let Err(error) = self.on_bytes(&wire.scratch[..read]) {
                        return LinkEnd::Link(error);
                    }
                }
                Happened::Socket(Err(error)) => return LinkEnd::Socket(error),
                Happened::Found(found) => {
                    if let Some(replacement) = self.on_found_beside_link(found) {
                        return LinkEnd::Replaced(replacement);
                    }
                }
                Happened::Other => mode = PollMode::Now,
            }
        }
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let result = self.link.received(bytes, &self.store, self.clock.now());
        self.take_events();
        result
    }

    /// Handles a connect outcome while a link runs. Returns it if it replaces the link.
    fn on_found_beside_link(&mut self, found: ConnectOutcome) -> Option<ConnectOutcome> {
        let accepted = match found {
            ConnectOutcome::Accepted(accepted) => accepted,
            // The dialler dials only while it has no link, so the present link was accepted from a
            // node that is about to be refused: the dialled connection replaces it.
            ConnectOutcome::Dialled(_) => return Some(found),
            ConnectOutcome::Refused { reason, .. } => {
                self.log.other_key(&reason);
                return None;
            }
            ConnectOutcome::NoLink(_) => return None,
        };
        match accepted.refusal(&self.link, self.clock.now()) {
            None if accepted.is_probe(&self.link) => {
                self.close_probe(*accepted);
                None
            }
            None => Some(ConnectOutcome::Accepted(accepted)),
            Some(refusal) => {
                self.refuse_accepted(*accepted, refusal);
                None
            }
        }
    }

    fn refuse_accepted(&mut self, accepted: AcceptedLink, refusal: Refusal) {
        self.log.other_node(accepted.from, &refusal);
        self.part_with(accepted.refuse(refusal));
    }

    pub(super) fn close_probe(&mut self, accepted: AcceptedLink) {
        self.part_with(accepted.close());
    }

    /// Ends a connection beside the link. Beyond the bound it is closed at once, without a reason.
    fn part_with(&mut self, farewell: impl Future<Output = ()> + Send + 'static) {
        while self.farewells.try_join_next().is_some() {}
        if self.farewells.len() < UNAUTHENTICATED_LINKS_MAX {
            self.farewells.spawn(farewell);
        }
    }

    /// Waits for the socket, a worker, a connect outcome, the next tick or the stop.
    async fn wait(&mut self, wire: &mut Wire, mode: PollMode, now: Now) -> Happened {
        let tick_at = Instant::now() + Duration::from_millis(self.link.next_tick_ms(now));
        let wake_at = match mode {
            PollMode::Batch(until) => until.min(tick_at),
            PollMode::Now | PollMode::Parked => tick_at,
        };
        tokio::select! {
            biased;
            result = poll_fn(|cx| wire.poll(cx)) => Happened::Socket(result),
            () = self.changes.notified() => Happened::Other,
            () = sleep_until(wake_at) => Happened::Other,
            Some(found) = self.outcomes.recv() => Happened::Found(found),
            Ok(()) = self.stop.changed() => Happened::Other,
        }
    }

    /// Moves dirty keys from the change queue to the link, if `mode` says that it is time. Returns
    /// when to do so next.
    fn take_keys(&mut self, mode: PollMode) -> PollMode {
        match mode {
            PollMode::Batch(until) if Instant::now() < until => return mode,
            // The wait ended for the socket, and no worker has sent anything.
            PollMode::Parked if self.changes.is_empty() => return mode,
            _ => {}
        }
        if let Some(buckets) = self.changes.take_overflow() {
            self.link.overflowed_in(&buckets);
        }
        let mut came = 0;
        // At most one full channel in each call, however much the workers add meanwhile.
        for _ in 0..CHANGE_QUEUE_BATCHES_MAX {
            if !self.link.has_room() {
                break;
            }
            let Some(batch) = self.changes.take() else {
                break;
            };
            self.link.commit(&batch.group(), &self.store);
            came += batch.keys.len();
            self.changes.give_back(batch);
        }
        if came > 0 {
            self.publish();
            self.changes.mark_taken();
        }
        let mut promoted = Vec::new();
        self.changes.drain_promotions(&mut promoted);
        self.link.promote(&promoted);
        if came > 0 && !self.changes.is_waited_for() {
            self.changes.poll_soon();
            PollMode::Batch(Instant::now() + BATCH_INTERVAL)
        } else if self.changes.park() {
            PollMode::Parked
        } else if self.link.has_room() {
            // A batch has just arrived from a worker that saw this thread awake.
            PollMode::Batch(Instant::now() + BATCH_INTERVAL)
        } else {
            // The set of dirty keys is full until the partner acknowledges some.
            PollMode::Now
        }
    }

    pub(super) fn take_events(&mut self) {
        while let Some(event) = self.link.take_event() {
            let now_ms = self.clock.now().boot_ms;
            match event {
                LinkEvent::Up { partner } => {
                    // Must happen before the next transmit, where the sync reads its first entry.
                    self.changes.set_link_up(true);
                    self.changes.set_waited_for(self.link.is_waited_for());
                    self.startup.on(self.event_of_up(), now_ms);
                    self.no_link = None;
                    self.status.set_link(LinkState::Up);
                    self.log.up(&partner);
                    self.log.differences(self.link.config(), &partner);
                }
                LinkEvent::PartnerSyncDone => {
                    self.startup.on(PartnerEvent::SyncDone, now_ms);
                    self.log.partner_sync_done();
                }
                LinkEvent::OwnSyncDone => self.log.own_sync_done(),
                LinkEvent::Degraded { reason } => {
                    self.changes.set_waited_for(false);
                    self.log.degraded(reason);
                }
                LinkEvent::Recovered => {
                    self.changes.set_waited_for(true);
                    self.log.recovered();
                }
                // The error that follows carries the same reason and ends the link.
                LinkEvent::Refused { .. } => {}
                LinkEvent::FlushRaised { flush_watermark } => self.log.flushed(flush_watermark),
                LinkEvent::ClockAhead { ahead_ms } => self.log.clock_ahead(ahead_ms),
                LinkEvent::WallClocks { differ, skew_ms } => self.log.wall_clocks(differ, skew_ms),
                LinkEvent::Lifted {
                    distance_ms,
                    entries,
                } => self.log.lifted(distance_ms, entries),
            }
        }
    }

    /// Sends what is queued, such as the reason of a refusal, and closes the connection: a second
    /// at most.
    async fn send_last_frames(&mut self, wire: &mut Wire) {
        let mut bytes = wire.output.split_off(wire.written);
        let now = self.clock.now();
        let sent = self
            .link
            .transmit(&self.store, now, &mut bytes, LINK_WRITE_BYTES);
        if let Err(fault) = sent {
            self.log.fault(&fault.to_string());
        }
        let close = async {
            wire.stream.write_all(&bytes).await?;
            wire.stream.shutdown().await
        };
        // The link has ended, whether the bytes arrive or not.
        let _ = timeout(Duration::from_millis(SILENCE_MS), close).await;
    }

    /// Tells the workers, the startup gate and `stats replication` that there is no link any more.
    /// Returns whether it was up.
    pub(super) fn show_link_down(&mut self, now: Now) -> bool {
        let was_up = self.status.link() == LinkState::Up;
        // Before the keys in the queue are dropped: `sync_pending` must be shown first.
        self.publish();
        self.changes.set_link_up(false);
        if was_up {
            self.startup.on(PartnerEvent::Down, now.boot_ms);
            self.status.set_link(LinkState::Down);
        }
        was_up
    }

    /// Resets the link's state, and logs why the link ended. Returns what replaces the link.
    fn on_link_down(&mut self, ending: LinkEnd) -> Option<ConnectOutcome> {
        let now = self.clock.now();
        self.link.disconnected(&self.store, now);
        self.give_answers();
        let was_up = self.show_link_down(now);
        let (reason, refused) = match &ending {
            LinkEnd::Link(error) => (error.to_string(), error.refusal()),
            // The partner's process was killed: rustls would only name the missing close_notify.
            LinkEnd::Socket(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                (CLOSED.to_owned(), None)
            }
            LinkEnd::Socket(error) => (error.to_string(), None),
            LinkEnd::Replaced(_) => ("replaced by a new connection".to_owned(), None),
            LinkEnd::Stopping => ("this node stops".to_owned(), None),
        };
        match &ending {
            LinkEnd::Stopping => tracing::info!(reason, "link down"),
            LinkEnd::Link(LinkError::State(_)) => self.log.fault(&reason),
            _ if was_up => self.log.down(&reason, self.port_word()),
            _ => self.log.failed(&reason),
        }
        if let Some(refusal) = refused {
            self.on_refused(&reason, refusal.kind == RefusalKind::LinkedElsewhere);
        }
        // In TLS 1.3 the accepting node may reject the key after this side's handshake is finished.
        if let LinkEnd::Socket(error) = &ending
            && !was_up
            && shows_other_key(error)
        {
            self.on_refused(&LinkAuthError::OtherKey.to_string(), false);
        }
        self.on_tick();
        match ending {
            LinkEnd::Replaced(found) => Some(found),
            _ => None,
        }
    }
}

/// The connection with its output and input buffers.
struct Wire {
    stream: LinkStream,
    output: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// The partner closed the connection with close_notify.
    closed_cleanly: bool,
    scratch: Box<[u8]>,
}

impl Wire {
    fn new(stream: LinkStream) -> Self {
        Self {
            stream,
            output: Vec::new(),
            written: 0,
            unflushed: false,
            closed_cleanly: false,
            scratch: vec![0; LINK_READ_BYTES].into_boxed_slice(),
        }
    }

    /// Whether all output is written.
    fn is_written(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    /// Writes and reads what the socket takes and has: the bytes read, or 0 once all is written.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let finished = self.poll_output(cx)?;
        let mut buffer = ReadBuf::new(&mut self.scratch);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.closed_cleanly = true;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, CLOSED)))
            }
            Poll::Ready(Ok(())) => Poll::Ready(Ok(buffer.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if finished => Poll::Ready(Ok(0)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes output. True if the last of it has just been written.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.is_written() {
            return Ok(false);
        }
        while self.written < self.output.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..]) {
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(false),
            }
        }
        self.output.clear();
        self.written = 0;
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(result) => {
                self.unflushed = false;
                result.map(|()| true)
            }
            Poll::Pending => Ok(false),
        }
    }
}
