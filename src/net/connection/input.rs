//! Input of a connection: where reads go, and when they wait for memory.

use std::io;
use std::task::{Context, Poll, ready};

use super::state::{Connection, Input};
use crate::frontend::Flow;
use crate::limits::{
    LINE_ACCOUNTED_BYTES, SCARCE_READ_BYTES, SCRATCH_BYTES, STALLED_INPUT_BYTES,
    VALUE_DIRECT_BYTES, WAITING_INPUT_MS_MAX,
};
use crate::logs::clients;
use crate::net::worker_context::Scratch;
use crate::store::InputReservation;

/// The reply to a client whose unfinished line is dropped, in memcached's words.
const NO_MEMORY_READING: &[u8] = b"SERVER_ERROR out of memory reading request\r\n";

impl Connection {
    /// Reads once: into the memory of a large value, behind a long tail, or into the scratch buffer
    /// after a short tail.
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
            && let Some(upload) = self.frontend.receiving()
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

    /// Waits until the unfinished input may take more memory, if it needs more. The socket is not
    /// read meanwhile. Ends early if the client disconnects or has waited for too long.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        let (polled, missing_bytes) = match (self.frontend.receiving(), &mut self.line) {
            (Some(upload), _) if self.tail.is_empty() => {
                let missing_bytes = upload.missing_bytes();
                if upload.room_bytes() >= missing_bytes.min(VALUE_DIRECT_BYTES) {
                    return Poll::Ready(None);
                }
                let (held, whole_bytes) = upload.held_mut();
                (held.poll_room(whole_bytes, cx.waker()), missing_bytes)
            }
            // A line that fills its buffer needs one twice as large. What still fits the present
            // one is read first: it may end the line.
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

    /// Drops the unfinished input, because others need its memory. The connection is closed,
    /// because the rest of the input would follow.
    pub(super) fn give_up(&mut self, scratch: &mut Scratch) -> Flow {
        let node = &self.worker.node;
        if self.frontend.give_up_value(&mut scratch.output) {
            self.worker.counters().store_no_memory.count();
        } else {
            scratch.output.bytes.extend_from_slice(NO_MEMORY_READING);
            node.counters.requests_refused.count_shared();
        }
        node.store.counters().count_unfinished_dropped();
        clients::input_dropped();
        self.tail = Vec::new();
        Flow::Close
    }

    /// Charges a long tail to the memory account.
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

    /// Records in the registry what the unfinished input holds and whether it has grown.
    pub(super) fn note_unfinished(&mut self, cx: &Context<'_>) {
        let upload = self.frontend.upload();
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

    /// Whether to close at once: others need the memory of its unfinished input, and it does not
    /// read its replies.
    pub(super) fn must_close_silently(&self) -> bool {
        self.write_queue.is_some()
            && self.unfinished.held_bytes > 0
            && self.slot.entry.must_give_up()
    }

    /// Counts a connection that is closed without a reply, see [`Self::must_close_silently`].
    pub(super) fn count_given_up(&self) {
        let node = &self.worker.node;
        node.counters.requests_refused.count_shared();
        node.store.counters().count_unfinished_dropped();
        clients::input_dropped();
    }

    /// Drops input that was received and not executed.
    pub(super) fn forget_input(&mut self) {
        self.tail = Vec::new();
        self.line = None;
    }
}
