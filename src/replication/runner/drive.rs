//! The loop around a link: bytes in, bytes out, keys in, time.
//!
//! Reading never waits for writing: each wait polls both. Output is made only when the last is
//! written, so it is bounded; dirty keys are taken at most once a millisecond while the link is
//! busy.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout};

use super::accepted_link::AcceptedLink;
use super::authenticate::{AuthError, LinkStream, shows_other_key};
use super::connect::ConnectOutcome;
use super::status::LinkState;
use super::{Runner, ShutdownPhase};
use crate::limits::{
    CHANGE_QUEUE_BATCHES_MAX, LINK_READ_BYTES, LINK_WRITE_BYTES, SILENCE_MS,
    UNAUTHENTICATED_LINKS_MAX,
};
use crate::replication::link::{LinkError, LinkEvent, Refusal, RefusalKind};
use crate::replication::startup::PartnerEvent;
use crate::store::Now;

const BATCH_INTERVAL: Duration = Duration::from_millis(1);
const CLOSED: &str = "the partner closed the connection";

/// Why a link is over.
pub(super) enum LinkEnd {
    /// The socket failed or was closed.
    Socket(io::Error),
    /// The link machine ended it.
    Link(LinkError),
    /// A newer link takes its place.
    Replaced(ConnectOutcome),
    /// The node stops.
    Stopping,
}

/// What ended a wait.
enum Happened {
    /// So many bytes were read into the scratch buffer; 0: all output is written.
    Socket(io::Result<usize>),
    Found(ConnectOutcome),
    /// A worker called, a tick is due, or the node is told to stop: look around.
    Other,
}

/// How the link waits for dirty keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PollMode {
    /// It looks at every turn.
    Now,
    /// It looks again at that moment.
    Batch(Instant),
    /// It looks when a worker calls.
    Parked,
}

impl Runner {
    /// Runs the link over a proved stream until it ends; what replaced it, if something did.
    /// `received` has been read from it already.
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
            self.say_goodbye(&mut wire).await;
        }
        self.note_partner(&ending, wire.closed_cleanly);
        self.on_link_down(ending)
    }

    async fn drive_until_end(&mut self, wire: &mut Wire) -> LinkEnd {
        let mut mode = PollMode::Now;
        loop {
            let now = self.clock.now();
            if let Err(error) = self.link.tick(&self.store, now) {
                return LinkEnd::Link(error);
            }
            if self.link.is_up() {
                mode = self.take_keys(mode);
            }
            if wire.is_written() {
                self.link
                    .transmit(&self.store, now, &mut wire.output, LINK_WRITE_BYTES);
                self.take_events();
            }
            self.on_tick();
            if *self.stop.borrow_and_update() == ShutdownPhase::Draining {
                let overdue = self.is_overdue();
                if overdue || (self.has_drained() && wire.is_written()) {
                    return LinkEnd::Stopping;
                }
            }
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
                // Whoever called or whatever was due: the next turn takes the keys.
                Happened::Other => mode = PollMode::Now,
            }
        }
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let result = self.link.received(bytes, &self.store, self.clock.now());
        self.take_events();
        result
    }

    /// Something was found while a link runs; what replaces the link, if something may.
    fn on_found_beside_link(&mut self, found: ConnectOutcome) -> Option<ConnectOutcome> {
        let accepted = match found {
            ConnectOutcome::Accepted(accepted) => accepted,
            // The dialler waits while its own link runs: the present one was accepted, by a side
            // that dials. That is no link to stay with.
            ConnectOutcome::Dialled(_) => return Some(found),
            ConnectOutcome::Refused(reason) => {
                self.log.other_key(&reason);
                return None;
            }
            ConnectOutcome::Absent(_) => return None,
        };
        match accepted.refusal(&self.link, self.clock.now()) {
            None => Some(ConnectOutcome::Accepted(accepted)),
            Some(refusal) => {
                self.refuse_accepted(*accepted, refusal);
                None
            }
        }
    }

    fn refuse_accepted(&mut self, accepted: AcceptedLink, refusal: Refusal) {
        self.log.accepted(accepted.from, &refusal);
        while self.refusals.try_join_next().is_some() {}
        // One too many is only closed.
        if self.refusals.len() < UNAUTHENTICATED_LINKS_MAX {
            self.refusals.spawn(accepted.refuse(refusal));
        }
    }

    /// Waits for the socket, a worker, a newer link, the time or the end, whatever is first.
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

    /// Passes on what the workers have handed over, unless the link rests.
    fn take_keys(&mut self, mode: PollMode) -> PollMode {
        match mode {
            PollMode::Batch(until) if Instant::now() < until => return mode,
            // A busy socket may be seen before a worker's call.
            PollMode::Parked if self.changes.is_empty() => return mode,
            _ => {}
        }
        if self.changes.take_overflow() {
            self.link.overflowed();
        }
        let mut came = 0;
        // No more than one channel full, whatever the workers add meanwhile.
        for _ in 0..CHANGE_QUEUE_BATCHES_MAX {
            if !self.link.has_room() {
                break;
            }
            let Some(batch) = self.changes.take() else {
                break;
            };
            self.link.mark_dirty(&batch);
            came += batch.len();
            self.changes.give_back(batch);
        }
        if came > 0 {
            self.publish();
            self.changes.mark_taken(came);
        }
        let mut promoted = Vec::new();
        self.changes.drain_promotions(&mut promoted);
        self.link.promote(&promoted);
        if came > 0 {
            self.changes.poll_soon();
            PollMode::Batch(Instant::now() + BATCH_INTERVAL)
        } else if self.changes.park() {
            PollMode::Parked
        } else if self.link.has_room() {
            // A batch came just before: its worker found us awake and calls nobody.
            PollMode::Batch(Instant::now() + BATCH_INTERVAL)
        } else {
            // Room comes with the partner's verdicts.
            PollMode::Now
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.link.take_event() {
            let now_ms = self.clock.now().boot_ms;
            match event {
                LinkEvent::Up { partner } => {
                    // Before the next transmit, in which the pass reads its first entry.
                    self.changes.set_link_up(true);
                    self.startup.on(PartnerEvent::Up, now_ms);
                    self.absence = None;
                    self.status.set_link(LinkState::Up);
                    self.log.up(&partner);
                }
                LinkEvent::PartnerSyncDone => {
                    self.startup.on(PartnerEvent::SyncDone, now_ms);
                    self.log.partner_pass_done();
                }
                LinkEvent::OwnSyncDone => self.log.own_pass_done(),
                // The error that follows says the same and ends the link.
                LinkEvent::Refused { .. } => {}
                LinkEvent::FlushRaised { flush_watermark } => self.log.flushed(flush_watermark),
                LinkEvent::ClockAhead { ahead_ms } => self.log.clock_ahead(ahead_ms),
            }
        }
    }

    /// The last words to the partner, a refusal's reason for one; a second at most.
    async fn say_goodbye(&mut self, wire: &mut Wire) {
        let mut words = wire.output.split_off(wire.written);
        self.link
            .transmit(&self.store, self.clock.now(), &mut words, LINK_WRITE_BYTES);
        let farewell = async {
            wire.stream.write_all(&words).await?;
            wire.stream.shutdown().await
        };
        // Whether it arrives or not, the link is over.
        let _ = timeout(Duration::from_millis(SILENCE_MS), farewell).await;
    }

    /// Leaves everything as it is without a link, and says why it is over.
    fn on_link_down(&mut self, ending: LinkEnd) -> Option<ConnectOutcome> {
        let now = self.clock.now();
        let was_up = self.status.link() == LinkState::Up;
        self.link.disconnected(now);
        // First, so that what is dropped here counts as owed already.
        self.publish();
        self.changes.set_link_up(false);
        if was_up {
            self.startup.on(PartnerEvent::Down, now.boot_ms);
            self.status.set_link(LinkState::Down);
        }
        let (reason, refused) = match &ending {
            LinkEnd::Link(error) => (error.to_string(), error.refusal()),
            // rustls would explain the missing farewell of a killed process.
            LinkEnd::Socket(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                (CLOSED.to_owned(), None)
            }
            LinkEnd::Socket(error) => (error.to_string(), None),
            LinkEnd::Replaced(_) => ("the partner came anew".to_owned(), None),
            LinkEnd::Stopping => ("this node stops".to_owned(), None),
        };
        match &ending {
            LinkEnd::Stopping => tracing::info!(reason, "link down"),
            _ if was_up => self.log.down(&reason, self.port_word()),
            _ => self.log.failed(&reason),
        }
        if let Some(refusal) = refused {
            self.refused(&reason, refusal.kind == RefusalKind::LinkedElsewhere);
        }
        // A dialled node rejects the key after this one has finished its part of the handshake.
        if let LinkEnd::Socket(error) = &ending
            && !was_up
            && shows_other_key(error)
        {
            self.refused(&AuthError::OtherKey.to_string(), false);
        }
        self.on_tick();
        match ending {
            LinkEnd::Replaced(found) => Some(found),
            _ => None,
        }
    }
}

/// The stream with what is on its way out and what has just come in.
struct Wire {
    stream: LinkStream,
    output: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// The partner closed the connection in order.
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

    /// Whether new output may be made.
    fn is_written(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    /// Writes what it can and reads what there is: the bytes read, or 0 once all is written.
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

    /// Whether output has just been written to the end.
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
