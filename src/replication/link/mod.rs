//! One end of a link as a state machine, without sockets, threads or clocks: bytes, keys and time
//! in, bytes and events out. The replication thread only moves the bytes; the simulator connects
//! two of these machines with real stores.
//!
//! [`Link::connected`] queues the hello. Both sides send `Hello`, check the other's, and answer
//! `Welcome` or `Refuse`; see [`life`] for what may come before the welcome. Once each side has
//! welcomed the other, the link is up: this side sends dirty keys in the live lane, and in the sync
//! lane what the partner lacks. Everything that belongs to one connection is in [`Session`];
//! `connected` makes a new one, so nothing of an older one can apply after a newer one is up.
//!
//! The caller:
//! - after a read: [`Link::received`], then take events, then transmit;
//! - for groups of writes: [`Link::commit`] while [`Link::has_room`]; for a group that was dropped:
//!   [`Link::overflowed_in`]. Then and after each other call, [`Link::take_answers`] says which
//!   groups the partner has;
//! - whenever the last output is written: [`Link::transmit`] into an empty buffer. If it appends
//!   nothing, there is nothing to send before the next event or tick;
//! - at the latest after [`Link::next_tick_ms`]: read what the socket holds, then [`Link::tick`],
//!   then take events, then transmit. Without a connection, too, for a lift may be under way;
//! - after an error: transmit once (a refusal may be queued), write, close; [`Link::disconnected`].

mod asks;
mod bulk_window;
mod chunks;
mod clock;
mod counters;
mod dirty;
mod event;
mod evictions;
mod handshake;
mod health;
mod heartbeat;
mod in_flight;
mod inbound;
mod invariants;
mod lag;
mod life;
mod meet;
mod outbound;
mod pending_acks;
mod semi_sync;
mod space_notice;
mod sync;
#[cfg(test)]
mod tests;
mod ticket;
mod tickets;
mod touches;
mod transfer;

use std::collections::VecDeque;
use std::mem;
use std::ops::RangeInclusive;

pub use counters::LinkCounters;
pub use event::{LinkError, LinkEvent, Partner, Refusal, RefusalKind};
pub use health::DegradedReason;
pub use ticket::{Answer, Ticket, WriteGroup};

use crate::limits::{HEARTBEAT_MS, SILENCE_MS, sizes};
use crate::replication::wire::{Frame, Framer, WIRE_VERSIONS};
use crate::rules::{Rule, holds};
use crate::store::{Now, Store, Timestamp};

use asks::Asks;
use clock::{PartnerClock, PartnerWall};
use dirty::DirtyKeys;
use health::Health;
use in_flight::InFlight;
use lag::Lag;
use life::Life;
use pending_acks::PendingAcks;
use space_notice::SpaceNotice;
use sync::Sync;
use tickets::Tickets;
use transfer::{Inbound, Outgoing};

/// How a node describes itself in its hello.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// 0 on one node of the pair, 1 on the other.
    pub side: u8,
    /// MSM's name of the node; may be empty. At most 255 bytes are sent.
    pub node_id: String,
    /// A number that differs for each start of the node.
    pub incarnation: u64,
    /// Canonical text of the settings that should be equal on both nodes. At most 8 KiB are sent.
    pub policy: String,
    /// How late an ack may be; `None` in `async` mode, where nobody waits for one.
    pub ack_timeout_ms: Option<u64>,
    /// The replication address of this node, as configured; may be empty. At most 255 bytes are
    /// sent.
    pub listen_addr: String,
    /// The partner's replication address, as configured here. At most 255 bytes are sent.
    pub failover_addr: String,
}

/// One end of the link to the partner.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    phase: Phase,
    session: Session,
    counters: LinkCounters,
    events: VecDeque<LinkEvent>,
    /// Outlives a connection; `None` in `async` mode.
    health: Option<Health>,
    /// Answers of connections that have ended.
    answers: Vec<Answer>,
    /// What became of asks on connections that have ended, or without one.
    asked: Vec<(u64, bool)>,
    life: Life,
    /// The wire versions this node speaks.
    wire_versions: RangeInclusive<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection.
    Down,
    /// Our hello is sent; the partner is known once its hello was accepted.
    Handshake(Option<Partner>),
    /// Records may be sent.
    Up,
    /// Refused by either side: only what is queued in `control` is still sent.
    Refused,
}

/// All state of one connection.
#[derive(Debug, Default)]
struct Session {
    framer: Framer,
    /// The incarnation of the partner, once its hello was accepted.
    partner_incarnation: Option<u64>,
    /// The highest wire version both speak, once the partner's hello was accepted.
    wire_version: Option<u16>,
    /// The flush watermark in the partner's hello.
    partner_watermark: Timestamp,
    /// Both nodes hash keys with the same secret. While the pair's key is changed they do not.
    same_hashes: bool,
    /// This side has welcomed the partner.
    has_welcomed: bool,
    /// The partner has welcomed this side.
    is_welcome: bool,
    /// The link came up.
    was_up: bool,
    /// Encoded frames of the handshake.
    control: Vec<u8>,
    dirty: DirtyKeys,
    /// Slots of large values, taken from `dirty`, in the order of their turn.
    bulk: DirtyKeys,
    tickets: Tickets,
    promotions: Vec<u64>,
    in_flight: InFlight,
    pending_acks: PendingAcks,
    lag: Lag,
    /// Records in chunks, by lane.
    outgoing: [Option<Outgoing>; 2],
    inbound: [Option<Inbound>; 2],
    sync: Sync,
    asks: Asks,
    /// The highest flush watermark that the partner has or was sent.
    watermark_sent: Timestamp,
    /// Bytes of live records since the last burst of the sync, and since the last live chunk.
    live_since_sync_bytes: usize,
    live_since_chunk_bytes: usize,
    /// The present output has a frame of a large live value: one is enough, for the next small
    /// record waits behind it.
    bulk_sent: bool,
    space_notice: SpaceNotice,
    promotions_sent_ms: u64,
    heard_ms: u64,
    connected_ms: u64,
    /// When the last heartbeat was sent, if one was.
    heartbeat_ms: Option<u64>,
    /// When the last of those that the partner has answered was sent.
    heartbeat_acked_ms: Option<u64>,
    /// The partner's last heartbeat, until it is answered.
    heartbeat_to_answer: Option<u64>,
    partner_clock: PartnerClock,
    partner_wall: PartnerWall,
    /// When this machine last ran: a pause of this process is no silence of the partner.
    ran_ms: u64,
    /// `ClockAhead` was reported.
    clock_alarm: bool,
    /// The partner had no memory for a record since the current or last sync began.
    refused_there: bool,
}

impl Link {
    /// A link that is down.
    pub fn new(config: LinkConfig) -> Self {
        Self {
            health: config.ack_timeout_ms.map(Health::new),
            answers: Vec::new(),
            asked: Vec::new(),
            config,
            phase: Phase::Down,
            session: Session::default(),
            counters: LinkCounters::default(),
            events: VecDeque::new(),
            life: Life::default(),
            wire_versions: WIRE_VERSIONS,
        }
    }

    /// How this node describes itself.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// An authenticated connection to the partner is open, and replaces any earlier one. The hello
    /// is ready for [`Link::transmit`].
    pub fn connected(&mut self, now: Now, store: &Store) {
        self.note_link_end(store);
        store.want_eviction_notices(false);
        self.end_session();
        if let Some(health) = &mut self.health {
            health.connected(now.boot_ms);
        }
        let mut session = Session {
            connected_ms: now.boot_ms,
            heard_ms: now.boot_ms,
            ran_ms: now.boot_ms,
            promotions_sent_ms: now.boot_ms,
            watermark_sent: store.flush_watermark(),
            dirty: DirtyKeys::of_memory(store.limit_bytes()),
            bulk: DirtyKeys::of_memory(store.limit_bytes()),
            in_flight: InFlight::of_memory(store.limit_bytes()),
            ..Session::default()
        };
        Frame::Hello(self.hello(store, now)).encode(&mut session.control);
        self.session = session;
        self.phase = Phase::Handshake(None);
    }

    /// Bytes from the partner, however the reads cut them.
    ///
    /// # Errors
    /// The link has failed. [`LinkError::Refused`] has queued its reason for the partner: transmit
    /// once more before closing.
    pub fn received(&mut self, bytes: &[u8], store: &Store, now: Now) -> Result<(), LinkError> {
        if matches!(self.phase, Phase::Down | Phase::Refused) {
            return Ok(());
        }
        self.session.ran_ms = now.boot_ms;
        if !bytes.is_empty() {
            self.session.heard_ms = now.boot_ms;
        }
        let mut framer = mem::take(&mut self.session.framer);
        let result = framer.feed(bytes, |frame| self.handle(frame, store, now));
        self.session.framer = framer;
        if let Err(error) = &result {
            self.fail(error);
        }
        result
    }

    /// The connection is closed. Dirty keys, promotions and incomplete records are dropped: the
    /// sync of the next link covers them.
    pub fn disconnected(&mut self, store: &Store, _now: Now) {
        store.want_eviction_notices(false);
        self.note_link_end(store);
        self.phase = Phase::Down;
        self.end_session();
    }

    /// Forgets a connection: nothing is known any more of what was not acknowledged on it.
    fn end_session(&mut self) {
        self.session.tickets.fail_all();
        self.answers.append(self.session.tickets.answers());
        self.asked.extend(self.session.asks.fail_all());
        self.session = Session::default();
    }

    /// The caller has panicked while it used the link: starts again as after a closed connection.
    pub fn recovered(&mut self, store: &Store, now: Now) {
        self.counters.link_faults += 1;
        self.events.clear();
        self.disconnected(store, now);
    }

    /// Whether the set of dirty keys takes another batch of 1,024.
    pub fn has_room(&self) -> bool {
        self.session.dirty.has_room(sizes().batch_keys_max)
    }

    /// Slots that clients read here, for the partner to promote. Best effort: more than the bound
    /// are dropped.
    pub fn promote(&mut self, slots: &[u64]) {
        if self.phase == Phase::Up {
            let room = sizes().promotions_max - self.session.promotions.len();
            self.session.promotions.extend(slots.iter().take(room));
        }
    }

    /// Appends the frames that may be sent now, up to about `budget_bytes` (at most one frame of
    /// 64 KiB more). If it appends nothing, there is nothing to send before the next event.
    ///
    /// # Errors
    /// [`LinkError::State`]: the link has failed, and nothing is appended.
    pub fn transmit(
        &mut self,
        store: &Store,
        now: Now,
        out: &mut Vec<u8>,
        budget_bytes: usize,
    ) -> Result<(), LinkError> {
        // Before, too: with a wrong watermark, records would count as confirmed that were not sent.
        self.check_state(store)?;
        let start = out.len();
        let counters = self.counters;
        let owed_nothing = self.session.in_flight.is_empty();
        self.session.ran_ms = now.boot_ms;
        out.append(&mut self.session.control);
        if self.is_introduced() {
            self.send_heartbeat(store, now, out);
        }
        if self.phase == Phase::Up {
            self.send(store, now, out, start + budget_bytes);
        }
        if owed_nothing && let Some(health) = &mut self.health {
            health.sent_first(now.boot_ms);
        }
        let checked = self.check_state(store);
        if checked.is_err() {
            // Nothing of it was sent.
            out.truncate(start);
            self.events.clear();
            self.counters = LinkCounters {
                link_faults: self.counters.link_faults,
                ..counters
            };
        }
        checked
    }

    /// Continues a lift, and checks how long the partner has been silent. Read what the socket
    /// holds before; take events and transmit after.
    ///
    /// # Errors
    /// The link has failed. [`LinkError::Silent`]: nothing was received for a second.
    pub fn tick(&mut self, store: &Store, now: Now) -> Result<(), LinkError> {
        if let Err(error) = self.continue_lift(store, now) {
            self.fail(&error);
            return Err(error);
        }
        let stood_still_ms = now.boot_ms.saturating_sub(self.session.ran_ms);
        let paused = stood_still_ms >= 2 * HEARTBEAT_MS;
        self.session.ran_ms = now.boot_ms;
        if matches!(self.phase, Phase::Down | Phase::Refused) {
            return Ok(());
        }
        self.judge(stood_still_ms, now);
        if self.phase == Phase::Up && self.has_room() {
            self.session.note_lag(now.boot_ms);
        }
        if paused {
            // This process stood still: give the partner two heartbeats' time to be heard.
            let grace = now.boot_ms.saturating_sub(SILENCE_MS - 2 * HEARTBEAT_MS);
            self.session.heard_ms = self.session.heard_ms.max(grace);
        }
        let is_silent = now.boot_ms >= self.session.heard_ms + SILENCE_MS;
        if is_silent && holds(Rule::SilenceEndsLink) {
            let verdict = self.health.as_mut().and_then(|it| it.silent(now.boot_ms));
            self.on_verdict(verdict);
            self.fail(&LinkError::Silent);
            return Err(LinkError::Silent);
        }
        Ok(())
    }

    /// In how many milliseconds [`Link::tick`] and [`Link::transmit`] are due at the latest: 1 to
    /// 200.
    pub fn next_tick_ms(&self, now: Now) -> u64 {
        let silence = self.session.heard_ms + SILENCE_MS;
        match self.phase {
            _ if self.life.lift.is_some() || self.session.sync.is_unfinished() => 1,
            Phase::Down | Phase::Refused => HEARTBEAT_MS,
            Phase::Handshake(_) | Phase::Up => silence
                .min(self.heartbeat_due_ms())
                .min(self.stalled_at_ms())
                .saturating_sub(now.boot_ms)
                .clamp(1, HEARTBEAT_MS),
        }
    }

    /// The next event, oldest first; of several of one kind, only the last.
    pub fn take_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// Numbers for `stats replication`.
    pub fn counters(&self) -> LinkCounters {
        let in_chunks = self.session.outgoing.iter().flatten().count();
        LinkCounters {
            queue_keys: (self.session.dirty.len() + self.session.bulk.len()) as u64,
            unconfirmed_records: (self.session.in_flight.records() + in_chunks) as u64,
            sync_pending: self.needs_sync(),
            sync_progress_percent: match self.phase {
                Phase::Up => self.session.sync.receiver.progress_percent(),
                _ => 0,
            },
            degraded: self.is_degraded(),
            confirmed_up_to_ms: self.session.lag.confirmed_ms(),
            unconfirmed_bytes: self.session.in_flight.bytes() as u64,
            clock_skew_ms: self.session.partner_wall.skew_ms(),
            wire_version: self.session.wire_version,
            ..self.counters
        }
    }

    /// Bytes of memory that unsent keys and unacknowledged frames take, values aside.
    pub fn held_bytes(&self) -> usize {
        let session = &self.session;
        session.dirty.held_bytes() + session.bulk.held_bytes() + session.in_flight.held_bytes()
    }

    /// The most dirty keys the set takes.
    #[cfg(test)]
    pub(super) fn waiting_keys_max(&self) -> usize {
        self.session.dirty.keys_max() + self.session.bulk.keys_max()
    }

    /// Whether records may be sent.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether the link is up and everything is acknowledged, a sync included: a node that
    /// stops waits for it.
    pub fn is_drained(&self) -> bool {
        let session = &self.session;
        self.phase == Phase::Up
            && session.dirty.is_empty()
            && session.bulk.is_empty()
            && session.in_flight.is_empty()
            && session.outgoing.iter().all(Option::is_none)
            && session.sync.sender.is_idle()
    }

    /// Queues an event. Of each kind only the last is kept, so the queue is bounded and a burst of
    /// one kind displaces no other.
    fn event(&mut self, event: LinkEvent) {
        let kind = mem::discriminant(&event);
        self.events
            .retain(|waiting| mem::discriminant(waiting) != kind);
        self.events.push_back(event);
    }
}
