//! What a connection reads: where it goes, and when it has to wait for memory.

use std::io;
use std::task::{Context, Poll, ready};

use super::{Connection, Scratch, Stop};
use crate::limits::{
    LINE_ACCOUNTED_BYTES, SCARCE_READ_BYTES, SCRATCH_BYTES, STALLED_INPUT_BYTES,
    VALUE_DIRECT_BYTES, WAITING_INPUT_MS_MAX,
};
use crate::logs::clients;
use crate::store::InputReservation;

/// What a client is told whose line cannot be held any longer, in memcached's words.
const NO_MEMORY_READING: &[u8] = b"SERVER_ERROR out of memory reading request\r\n";

/// What a read brought.
pub(super) enum Input {
    /// So many bytes at the front of the scratch buffer.
    Scratch(usize),
    /// More bytes in the tail.
    Tail,
    /// More of the value that is being received.
    Value,
    /// Others need the memory of what is being received.
    GiveUp,
    /// The client is gone.
    End,
}

/// Unfinished input, as the registry was told of it.
#[derive(Debug, Default)]
pub(super) struct InputProgress {
    held_bytes: u64,
    /// Bytes that had come when it last counted as grown.
    grown_to_bytes: usize,
    /// Since when it has been waiting for room, if it does.
    waiting_since_ms: Option<u64>,
}

impl Connection {
    /// One read: into a large value's own memory, behind a long tail, or into the scratch buffer
    /// with a short tail put before it.
    pub(super) fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<io::Result<Input>> {
        if self.unfinished.held_bytes > 0 && self.slot.entry.must_give_up() {
            return Poll::Ready(Ok(Input::GiveUp));
        }
        if let Some(input) = ready!(self.poll_room(cx)) {
            return Poll::Ready(Ok(input));
        }
        let counters = self.worker.counters();
        if self.tail.is_empty()
            && let Some(upload) = self.dialogue.receiving()
            && upload.room_bytes() >= VALUE_DIRECT_BYTES
        {
            let mut polled = Poll::Pending;
            upload.rest(|rest| {
                polled = self.stream.poll_read(cx, rest);
                if let Poll::Ready(Ok(len)) = polled {
                    len
                } else {
                    0
                }
            });
            let len = ready!(polled)?;
            counters.bytes_read.add(len as u64);
            return Poll::Ready(Ok(if len == 0 { Input::End } else { Input::Value }));
        }
        let tail_len = self.tail.len();
        let most = if self.worker.node.store.is_input_scarce() {
            SCARCE_READ_BYTES
        } else {
            SCRATCH_BYTES
        };
        if tail_len > SCRATCH_BYTES / 2 {
            let room_bytes = self.tail.capacity() - tail_len;
            let most = if room_bytes > 0 {
                most.min(room_bytes)
            } else {
                most
            };
            let into = &mut scratch.input[..most];
            let len = ready!(self.stream.poll_read(cx, into))?;
            counters.bytes_read.add(len as u64);
            self.tail.extend_from_slice(&scratch.input[..len]);
            return Poll::Ready(Ok(if len == 0 { Input::End } else { Input::Tail }));
        }
        let end = SCRATCH_BYTES.min(tail_len + most);
        let len = ready!(self.stream.poll_read(cx, &mut scratch.input[tail_len..end]))?;
        if len == 0 {
            return Poll::Ready(Ok(Input::End));
        }
        counters.bytes_read.add(len as u64);
        scratch.input[..tail_len].copy_from_slice(&self.tail);
        Poll::Ready(Ok(Input::Scratch(tail_len + len)))
    }

    /// Waits until what is being received may take more memory, or has it. Until then the socket
    /// is not read. Ends early when the client is gone, or has waited for too long.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        let (polled, missing_bytes) = match (self.dialogue.receiving(), &mut self.line) {
            (Some(upload), _) if self.tail.is_empty() => {
                let missing_bytes = upload.missing_bytes();
                if upload.room_bytes() >= missing_bytes.min(VALUE_DIRECT_BYTES) {
                    return Poll::Ready(None);
                }
                let (held, whole_bytes) = upload.held_mut();
                (held.poll_room(whole_bytes, cx.waker()), missing_bytes)
            }
            // The next buffer of a line is twice as large; what the present one has room for may
            // come: it may be the end.
            (_, Some(line)) if line.bytes() > 0 && self.tail.len() == self.tail.capacity() => {
                (line.poll_room(2 * line.bytes(), cx.waker()), 1)
            }
            _ => return Poll::Ready(None),
        };
        let entry = &self.slot.entry;
        if polled.is_ready() {
            if self.unfinished.waiting_since_ms.take().is_some() {
                entry.note_waits_for_memory(false, self.worker.node.clock.recent_boot_ms());
            }
            return Poll::Ready(None);
        }
        let now_ms = self.worker.node.clock.now().boot_ms;
        let since_ms = *self.unfinished.waiting_since_ms.get_or_insert_with(|| {
            entry.note_waits_for_memory(true, now_ms);
            now_ms
        });
        if now_ms >= since_ms + WAITING_INPUT_MS_MAX {
            return Poll::Ready(Some(Input::GiveUp));
        }
        if self.stream.ends_within(cx, missing_bytes) {
            return Poll::Ready(Some(Input::End));
        }
        Poll::Pending
    }

    /// Gives up what is being received: others need its memory. The connection is closed, for what
    /// would follow is the rest of it.
    pub(super) fn give_up(&mut self, scratch: &mut Scratch) -> Stop {
        let node = &self.worker.node;
        if self.dialogue.give_up_value(&mut scratch.output) {
            self.worker.counters().store_no_memory.count();
        } else {
            scratch.output.bytes.extend_from_slice(NO_MEMORY_READING);
            node.counters.requests_refused.count_shared();
        }
        node.store.counters().count_unfinished_dropped();
        clients::input_gave_way();
        self.tail = Vec::new();
        Stop::Close
    }

    /// Charges a long tail.
    pub(super) fn account_tail(&mut self, scratch: &mut Scratch) {
        let bytes = self.tail.capacity() as u64;
        let bytes = if bytes < LINE_ACCOUNTED_BYTES {
            0
        } else {
            bytes
        };
        if bytes == self.line.as_ref().map_or(0, InputReservation::bytes) {
            return;
        }
        let store = &self.worker.node.store;
        self.line
            .get_or_insert_with(|| store.unfinished_input())
            .hold(bytes);
        store.free_and_evict(&mut scratch.context);
    }

    /// Notes in the registry what unfinished input this connection holds, and whether it has grown.
    pub(super) fn note_unfinished(&mut self, cx: &Context<'_>) {
        let upload = self.dialogue.upload();
        let (value_bytes, received_bytes) = upload.map_or((0, self.tail.len()), |upload| {
            (upload.held().bytes(), upload.received_bytes())
        });
        let held_bytes = value_bytes + self.line.as_ref().map_or(0, InputReservation::bytes);
        let unfinished = &mut self.unfinished;
        if held_bytes == 0 && unfinished.held_bytes == 0 {
            return;
        }
        let is_first = unfinished.held_bytes == 0 || received_bytes < unfinished.grown_to_bytes;
        let grew = received_bytes >= unfinished.grown_to_bytes + STALLED_INPUT_BYTES;
        unfinished.held_bytes = held_bytes;
        let entry = &self.slot.entry;
        entry.note_unfinished(held_bytes, cx.waker());
        if is_first || grew {
            unfinished.grown_to_bytes = received_bytes;
            entry.note_growth(self.worker.node.clock.recent_boot_ms());
        }
    }

    /// Whether it must go at once: others need the memory of what it has begun to send, and its
    /// replies are not read.
    pub(super) fn must_close_silently(&self) -> bool {
        self.write_queue.is_some()
            && self.unfinished.held_bytes > 0
            && self.slot.entry.must_give_up()
    }

    /// It is to be closed without a word, see [`Self::must_close_silently`].
    pub(super) fn count_given_up(&self) {
        let node = &self.worker.node;
        node.counters.requests_refused.count_shared();
        node.store.counters().count_unfinished_dropped();
        clients::input_gave_way();
    }

    /// Forgets what has come and was not executed.
    pub(super) fn forget_input(&mut self) {
        self.tail = Vec::new();
        self.line = None;
    }
}
