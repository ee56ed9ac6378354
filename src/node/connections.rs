//! The open sockets of a node by their file descriptors, for `stats conns` and the idle timeout.
//!
//! A connection is registered when it is accepted, and removed when it ends. Its worker records
//! what it is doing once or twice per turn, without a lock.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use parking_lot::Mutex;
use tokio::task::AbortHandle;

pub(crate) use super::endpoint::Endpoint;

use crate::frontend::wait_state::WaitState;
use crate::limits::STALLED_INPUT_MS;
use crate::protocol::text::reply::stat;

const RELAXED: Ordering = Ordering::Relaxed;

/// Why a connection ended, in memcached's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CloseReason {
    /// The socket failed, or the input was not a request.
    Error,
    /// The client disconnected or sent `quit`.
    Normal,
    /// It exceeded the idle timeout.
    Idle,
    /// It sent `shutdown`, or the node closed the client port.
    Shutdown,
}

impl CloseReason {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Error, "error"),
        (Self::Normal, "normal"),
        (Self::Idle, "idle_timeout"),
        (Self::Shutdown, "shutdown"),
    ];
}

/// An open socket.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) fd: RawFd,
    /// The address of the client; of a listening socket, its own.
    pub(crate) peer: Endpoint,
    /// The address the client connected to; `None` for a listening socket.
    pub(crate) local: Option<Endpoint>,
    state: AtomicU8,
    close_reason: AtomicU8,
    last_command_boot_ms: AtomicU64,
    unfinished: UnfinishedInput,
    /// The task that serves the connection, once it runs.
    task: OnceLock<AbortHandle>,
    is_to_close: AtomicBool,
}

/// The value or long line that a connection is receiving.
#[derive(Debug, Default)]
struct UnfinishedInput {
    held_bytes: AtomicU64,
    grown_boot_ms: AtomicU64,
    /// It waits for memory, so it is not the client's fault that it does not grow.
    is_waiting: AtomicBool,
    is_to_give_up: AtomicBool,
    /// The waker of the connection's task; set when it first holds anything.
    waker: OnceLock<Waker>,
}

impl Entry {
    fn new(fd: RawFd, peer: Endpoint, local: Option<Endpoint>, now_boot_ms: u64) -> Self {
        let state = if local.is_some() {
            WaitState::New
        } else {
            WaitState::Listening
        };
        Self {
            fd,
            peer,
            local,
            state: AtomicU8::new(state as u8),
            close_reason: AtomicU8::new(CloseReason::Error as u8),
            last_command_boot_ms: AtomicU64::new(now_boot_ms),
            unfinished: UnfinishedInput::default(),
            task: OnceLock::new(),
            is_to_close: AtomicBool::new(false),
        }
    }

    /// Records the task that serves the connection. It ends at once if the connection was to be
    /// closed before it had a task.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let task = self.task.get_or_init(|| task);
        if self.is_to_close.load(Ordering::SeqCst) {
            task.abort();
        }
    }

    /// Closes the connection between two turns. What it has changed is on its way to the link then.
    fn close(&self) {
        self.note_close(CloseReason::Shutdown);
        self.is_to_close.store(true, Ordering::SeqCst);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Records what its unfinished input holds.
    pub(crate) fn note_unfinished(&self, bytes: u64, waker: &Waker) {
        let unfinished = &self.unfinished;
        unfinished.waker.get_or_init(|| waker.clone());
        unfinished.held_bytes.store(bytes, RELAXED);
        if bytes == 0 {
            unfinished.is_to_give_up.store(false, RELAXED);
        }
    }

    /// Records that its unfinished input has started or grown, which withdraws a request to drop
    /// it.
    pub(crate) fn note_growth(&self, now_boot_ms: u64) {
        let unfinished = &self.unfinished;
        unfinished.grown_boot_ms.store(now_boot_ms, RELAXED);
        unfinished.is_to_give_up.store(false, RELAXED);
    }

    /// Records whether its unfinished input waits for memory.
    pub(crate) fn note_waits_for_memory(&self, waits: bool, now_boot_ms: u64) {
        let unfinished = &self.unfinished;
        unfinished.grown_boot_ms.store(now_boot_ms, RELAXED);
        unfinished.is_waiting.store(waits, RELAXED);
    }

    /// Whether its unfinished input must be dropped for others.
    pub(crate) fn must_give_up(&self) -> bool {
        self.unfinished.is_to_give_up.load(RELAXED)
    }

    /// The time since which its unfinished input has not grown, and what it holds, if it has
    /// stalled.
    fn stalled(&self, grown_before_boot_ms: u64) -> Option<(u64, u64)> {
        let held_bytes = self.unfinished.held_bytes.load(RELAXED);
        let grown_ms = self.unfinished.grown_boot_ms.load(RELAXED);
        // One that waits for memory gets longer; but if all wait, one must be dropped.
        let grown_before_boot_ms = if self.unfinished.is_waiting.load(RELAXED) {
            grown_before_boot_ms.saturating_sub(STALLED_INPUT_MS)
        } else {
            grown_before_boot_ms
        };
        let is_stalled = held_bytes > 0 && grown_ms < grown_before_boot_ms;
        is_stalled.then_some((grown_ms, held_bytes))
    }

    /// Asks the connection to drop its unfinished input.
    fn give_up(&self) {
        self.unfinished.is_to_give_up.store(true, RELAXED);
        if let Some(waker) = self.unfinished.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Records what the connection is doing.
    pub(crate) fn note(&self, state: WaitState) {
        self.state.store(state as u8, RELAXED);
    }

    /// Records the time of a request.
    pub(crate) fn note_command(&self, now_boot_ms: u64) {
        self.last_command_boot_ms.store(now_boot_ms, RELAXED);
    }

    /// Records why the connection is about to end.
    pub(crate) fn note_close(&self, reason: CloseReason) {
        self.close_reason.store(reason as u8, RELAXED);
    }

    /// How long the connection has been idle; `None` while a request is running.
    pub(crate) fn idle_ms(&self, now_boot_ms: u64) -> Option<u64> {
        let state = self.state.load(RELAXED);
        let waits = state == WaitState::New as u8 || state == WaitState::Read as u8;
        waits.then(|| now_boot_ms.saturating_sub(self.last_command_boot_ms.load(RELAXED)))
    }

    /// Why it ended.
    pub(crate) fn close_reason(&self) -> &'static str {
        let reason = self.close_reason.load(RELAXED);
        word(&CloseReason::ALL, |it| *it as u8 == reason)
    }

    fn print(&self, now_boot_ms: u64, out: &mut Vec<u8>) {
        let fd = self.fd;
        let state = self.state.load(RELAXED);
        let last_ms = self.last_command_boot_ms.load(RELAXED);
        let secs = now_boot_ms.saturating_sub(last_ms) / 1000;
        stat(out, &format!("{fd}:addr"), &self.peer);
        if let Some(local) = &self.local {
            stat(out, &format!("{fd}:listen_addr"), local);
        }
        let state = word(&WaitState::ALL, |it| *it as u8 == state);
        stat(out, &format!("{fd}:state"), state);
        stat(out, &format!("{fd}:secs_since_last_cmd"), secs);
    }
}

fn word<T>(all: &[(T, &'static str)], is: impl Fn(&T) -> bool) -> &'static str {
    let found = all.iter().find(|(it, _)| is(it));
    found.map_or("conn_closed", |(_, word)| word)
}

/// The open sockets by their file descriptors.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    open: Mutex<BTreeMap<RawFd, Arc<Entry>>>,
}

impl Registry {
    /// Registers a socket. An earlier one with the same descriptor is closed already.
    pub(crate) fn enter(
        &self,
        fd: RawFd,
        peer: Endpoint,
        local: Option<Endpoint>,
        now_boot_ms: u64,
    ) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(fd, peer, local, now_boot_ms));
        let replaced = self.open.lock().insert(fd, Arc::clone(&entry));
        drop(replaced);
        entry
    }

    /// Removes a socket, unless its descriptor belongs to a newer one.
    pub(crate) fn leave(&self, entry: &Arc<Entry>) {
        let mut open = self.open.lock();
        let is_there = open
            .get(&entry.fd)
            .is_some_and(|there| Arc::ptr_eq(there, entry));
        let left = is_there.then(|| open.remove(&entry.fd));
        drop(open);
        drop(left);
    }

    /// Closes every connection of a client; returns how many.
    pub(crate) fn close_clients(&self) -> usize {
        let open: Vec<_> = self.open.lock().values().cloned().collect();
        let clients = open.iter().filter(|entry| entry.local.is_some());
        clients.map(|entry| entry.close()).count()
    }

    /// Asks connections to drop unfinished input that has not grown since `grown_before_boot_ms`,
    /// the longest stalled first, until `wanted_bytes` are free.
    pub(crate) fn drop_stalled(&self, grown_before_boot_ms: u64, wanted_bytes: u64) {
        let open: Vec<_> = self.open.lock().values().cloned().collect();
        let stalled = |entry| Some((Entry::stalled(entry, grown_before_boot_ms)?, entry));
        let mut stalled: Vec<_> = open.iter().map(Arc::as_ref).filter_map(stalled).collect();
        // Of equally old ones the largest first, so that fewer are dropped.
        stalled.sort_unstable_by_key(|((since, held_bytes), _)| (*since, Reverse(*held_bytes)));
        let mut freed_bytes = 0;
        for ((_, held_bytes), entry) in stalled {
            if freed_bytes >= wanted_bytes {
                return;
            }
            entry.give_up();
            freed_bytes += held_bytes;
        }
    }

    /// Prints `stats conns`.
    pub(crate) fn print(&self, now_boot_ms: u64, out: &mut Vec<u8>) {
        let open: Vec<_> = self.open.lock().values().cloned().collect();
        for entry in open {
            entry.print(now_boot_ms, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(registry: &Registry, fd: RawFd) -> Arc<Entry> {
        registry.enter(fd, Endpoint::Unnamed, Some(Endpoint::Unnamed), 1000)
    }

    #[test]
    fn a_reused_descriptor_stays_registered_for_its_new_socket() {
        let registry = Registry::default();
        let first = enter(&registry, 7);
        let second = enter(&registry, 7);
        registry.leave(&first);
        assert_eq!(registry.open.lock().len(), 1);
        registry.leave(&second);
        assert!(registry.open.lock().is_empty());
    }

    #[test]
    fn only_a_connection_without_a_running_request_is_idle() {
        let registry = Registry::default();
        let entry = enter(&registry, 7);
        assert_eq!(entry.idle_ms(4000), Some(3000));
        use WaitState::{Parse, Swallow, Value, Write};
        for busy in [Parse, Value, Swallow, Write] {
            entry.note(busy);
            assert_eq!(entry.idle_ms(4000), None, "{busy:?}");
        }
        entry.note(WaitState::Read);
        entry.note_command(3500);
        assert_eq!(entry.idle_ms(4000), Some(500));
    }

    #[test]
    fn stats_conns_shows_sockets_by_their_descriptors() {
        let registry = Registry::default();
        registry.enter(9, Endpoint::Tcp(([127, 0, 0, 1], 11211).into()), None, 0);
        enter(&registry, 8).note(WaitState::Read);
        let mut out = Vec::new();
        registry.print(3999, &mut out);
        let expected = "STAT 8:addr ?:<AF 0>\r\nSTAT 8:listen_addr ?:<AF 0>\r\n\
                        STAT 8:state conn_read\r\nSTAT 8:secs_since_last_cmd 2\r\n\
                        STAT 9:addr tcp:127.0.0.1:11211\r\nSTAT 9:state conn_listening\r\n\
                        STAT 9:secs_since_last_cmd 3\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
