//! The event log of one worker: lines for watchers, written where the events happen.
//!
//! Each line has a short header: the kind of event, the line's number, and its length.

use std::fmt;
use std::io::Write;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU16, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use crate::limits::{WATCH_CAUSE_BYTES, WATCH_LINE_BYTES};
use crate::node::connections::{Endpoint, Entry};
use crate::protocol::text::{Events, uri};
use crate::store::{Item, ItemSummary, Miss, NEVER, Now, Observer, StoreEventView};

/// Event, number, length.
const HEAD_BYTES: usize = 2 + 8 + 2;

/// The lines of one worker that were not fetched yet.
#[derive(Debug)]
pub(crate) struct EventLog {
    shared: Arc<Shared>,
    /// The file descriptor of the client whose requests are being executed.
    client: AtomicI32,
    bytes_max: usize,
    /// Wakes the `watch` thread, because the log is half full.
    wake: Sender<()>,
    lines: Mutex<Lines>,
}

/// What the watchers share with the event logs.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The events that some client watches.
    pub(super) events: AtomicU16,
    /// The number of the last line.
    pub(super) lines: AtomicU64,
}

impl Shared {
    /// The events that some client watches.
    pub(super) fn events(&self) -> Events {
        Events(self.events.load(Ordering::Relaxed))
    }
}

/// Lines that were not fetched yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Lines in `bytes`.
    pub(super) written: u64,
    /// Lines dropped because the log was full.
    pub(super) dropped: u64,
}

impl EventLog {
    pub(super) fn new(shared: Arc<Shared>, bytes_max: usize, wake: Sender<()>) -> Self {
        Self {
            shared,
            client: AtomicI32::new(-1),
            bytes_max,
            wake,
            lines: Mutex::default(),
        }
    }

    /// Sets the client whose requests follow.
    pub(crate) fn set_client(&self, fd: RawFd) {
        self.client.store(fd, Ordering::Relaxed);
    }

    /// A client has connected.
    pub(crate) fn connected(&self, entry: &Entry) {
        self.tell(Events::CONNECTIONS, |line| {
            line.extend_from_slice(b"type=conn_new ");
            endpoint(line, &entry.peer);
            let _ = write!(line, " cfd={}", entry.fd);
        });
    }

    /// A client has disconnected.
    pub(crate) fn disconnected(&self, entry: &Entry) {
        self.tell(Events::CONNECTIONS, |line| {
            line.extend_from_slice(b"type=conn_close ");
            endpoint(line, &entry.peer);
            let _ = write!(line, " reason={} cfd={}", entry.close_reason(), entry.fd);
        });
    }

    /// A client's TLS has failed, at the handshake or later.
    pub(crate) fn tls_failed(&self, fd: RawFd, cause: &dyn fmt::Display) {
        self.tell(Events::CONNECTIONS, |line| {
            let _ = write!(line, "type=conntlserr fd={fd} msg=");
            let cause = cause.to_string();
            // The error may quote bytes that the client sent.
            let printable = cause.bytes().filter(|byte| (b' '..=b'~').contains(byte));
            line.extend(printable.take(WATCH_CAUSE_BYTES));
        });
    }

    /// Takes all lines and leaves the empty buffer of `other`.
    pub(super) fn fetch(&self, other: &mut Lines) {
        *other = Lines {
            bytes: std::mem::take(&mut other.bytes),
            ..Lines::default()
        };
        other.bytes.clear();
        std::mem::swap(&mut *self.lines.lock(), other);
    }

    fn client(&self) -> RawFd {
        self.client.load(Ordering::Relaxed)
    }

    /// Writes a line if a watcher wants it and the log has space.
    fn tell(&self, event: Events, write_fields: impl FnOnce(&mut Vec<u8>)) {
        if !self.shared.events().meets(event) {
            return;
        }
        let mut lines = self.lines.lock();
        if lines.bytes.len() + HEAD_BYTES + WATCH_LINE_BYTES > self.bytes_max {
            lines.dropped += 1;
            return;
        }
        lines.written += 1;
        let number = self.shared.lines.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = &mut lines.bytes;
        let head = bytes.len();
        bytes.extend_from_slice(&event.0.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        let start = bytes.len();
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let (secs, us) = (since.as_secs(), since.subsec_micros());
        // Writing to a Vec cannot fail. As in memcached, the microseconds are a plain number.
        let _ = write!(bytes, "ts={secs}.{us} gid={number} ");
        write_fields(bytes);
        bytes.push(b'\n');
        let len = u16::try_from(bytes.len() - start).unwrap_or(u16::MAX);
        bytes[start - 2..start].copy_from_slice(&len.to_le_bytes());
        debug_assert!(bytes.len() - head <= HEAD_BYTES + WATCH_LINE_BYTES);
        let half = self.bytes_max / 2;
        if head < half && bytes.len() >= half {
            // A full channel wakes the thread as well.
            let _ = self.wake.try_send(());
        }
    }
}

impl Lines {
    /// The lines, each with its event and its number.
    pub(super) fn each(&self) -> impl Iterator<Item = (Events, u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (event, after) = rest.split_first_chunk::<2>()?;
            let (number, after) = after.split_first_chunk::<8>()?;
            let (len, after) = after.split_first_chunk::<2>()?;
            let (line, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            rest = after;
            let event = Events(u16::from_le_bytes(*event));
            Some((event, u64::from_le_bytes(*number), line))
        })
    }
}

impl Observer for EventLog {
    fn looked_up(&self, key: &[u8], found: Result<ItemSummary, Miss>) {
        let status = match found {
            Ok(_) => "found",
            Err(Miss::Absent) => "not_found",
            Err(Miss::Flushed) => "flushed",
            Err(Miss::Expired) => "expired",
        };
        let ItemSummary { class, value_len } = found.unwrap_or_default();
        self.tell(Events::FETCHERS, |line| {
            named(line, "item_get", key);
            let cfd = self.client();
            let _ = write!(
                line,
                " status={status} clsid={class} cfd={cfd} size={value_len}"
            );
        });
    }

    fn stored(&self, storing: &StoreEventView<'_>) {
        self.tell(Events::MUTATIONS, |line| {
            named(line, "item_store", storing.key);
            let StoreEventView {
                status,
                command,
                ttl_secs,
                item: ItemSummary { class, value_len },
                ..
            } = storing;
            let _ = write!(line, " status={status} cmd={command} ttl={ttl_secs}");
            let cfd = self.client();
            let _ = write!(line, " clsid={class} cfd={cfd} size={value_len}");
        });
    }

    fn deleted(&self, key: &[u8], command: &str, item: ItemSummary) {
        self.tell(Events::DELETIONS, |line| {
            named(line, "deleted", key);
            let ItemSummary { class, value_len } = item;
            let _ = write!(line, " cmd={command} clsid={class} size={value_len}");
        });
    }

    fn evicted(&self, item: &Item, now: Now) {
        self.tell(Events::EVICTIONS, |line| {
            named(line, "eviction", item.key());
            let fetch = if item.is_fetched() { "yes" } else { "no" };
            let ttl_secs = match item.deadline_ms() {
                NEVER => -1,
                deadline_ms => now.secs_until(deadline_ms),
            };
            let idle_secs = item.idle_ms(now) / 1000;
            let ItemSummary { class, value_len } = ItemSummary::of(item);
            let _ = write!(line, " fetch={fetch} ttl={ttl_secs} la={idle_secs}");
            let _ = write!(line, " clsid={class} size={value_len}");
        });
    }
}

fn named(line: &mut Vec<u8>, event: &str, key: &[u8]) {
    let _ = write!(line, "type={event} key=");
    uri::encode(key, line);
}

fn endpoint(line: &mut Vec<u8>, address: &Endpoint) {
    let _ = match address.host_and_port() {
        (Some(host), port) => write!(line, "rip={host} rport={port} transport=tcp"),
        (None, port) => write!(line, "rip=unix rport={port} transport=local"),
    };
}
