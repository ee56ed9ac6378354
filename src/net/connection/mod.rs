//! The loop of one connection: one read, all complete requests in it, one write.
//!
//! A turn has three steps, kept apart: *execute* (the requests, on the worker's scratch buffers),
//! *send changes* (the dirty keys, once per turn) and *release* (the replies may be written; in
//! `semi-sync` mode once the partner has the turn's writes, and nothing else is executed before).
//! An idle connection owns no buffer. A client that does not read its replies is not read from
//! either; the worker serves the others.

mod asking;
mod input;
mod state;

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::commit::HeldTurn;
use super::connection_slot::ConnectionSlot;
use super::stream::Stream;
use super::watcher;
use super::worker_context::{Scratch, WorkerContext};
use super::write_queue::WriteQueue;
use crate::command::CommandContext;
use crate::frontend::wait_state::WaitState;
use crate::frontend::{Flow, Frontend};
use crate::node::connections::CloseReason;
use crate::node::watch::Watcher;
use crate::replication::change_queue::Commit;
use crate::store::Consultation;
pub(crate) use state::Connection;
use state::{Input, InputProgress};

/// The reply to a client that is one watcher too many, in memcached's words.
const TOO_MANY_WATCHERS: &[u8] = b"WATCHER_TOO_MANY log watcher limit reached\r\n";

impl Connection {
    pub(crate) fn new(stream: Stream, slot: ConnectionSlot, worker: Rc<WorkerContext>) -> Self {
        worker.log().connected(&slot.entry);
        Self {
            frontend: Frontend::new(slot.options.protocol, &worker.node.access),
            slot,
            stream,
            worker,
            tail: Vec::new(),
            line: None,
            unfinished: InputProgress::default(),
            write_queue: None,
            held: None,
            consultation: Consultation::default(),
            asking: None,
            unexecuted: false,
            closing: false,
        }
    }

    /// Serves the client until either side ends the connection. Yields after every turn that spent
    /// its budget, so that other connections are served in between.
    pub(crate) fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Watcher>>> {
        let worker = Rc::clone(&self.worker);
        loop {
            if self.must_close_silently() {
                self.count_given_up();
                return Poll::Ready(Ok(None));
            }
            if let Some(pending) = &mut self.write_queue {
                ready!(pending.poll_flush(&mut self.stream, cx))?;
                self.write_queue = None;
                self.note_waiting();
            }
            if self.asking.is_some() {
                ready!(self.poll_asked(cx));
            }
            let scratch = &mut *worker.scratch.borrow_mut();
            let flow = if self.held.is_some() {
                ready!(self.poll_held(cx, scratch))
            } else {
                if self.closing {
                    return Poll::Ready(Ok(None));
                }
                scratch.begin_turn(&worker.node);
                let input = if self.unexecuted {
                    self.unexecuted = false;
                    Input::Tail
                } else {
                    ready!(self.poll_input(cx, scratch))?
                };
                let flow = match input {
                    Input::End => {
                        self.slot.entry.note_close(CloseReason::Normal);
                        return Poll::Ready(Ok(None));
                    }
                    Input::Value if self.frontend.is_complete() => self.execute_tail(scratch),
                    Input::Value => {
                        self.note_unfinished(cx);
                        continue;
                    }
                    Input::GiveUp => self.give_up(scratch),
                    Input::Scratch(len) => self.execute_scratch(scratch, len),
                    Input::Tail => self.execute_tail(scratch),
                };
                self.account_tail(scratch);
                self.note_unfinished(cx);
                if let Some(commit) = worker.commit(&mut scratch.context) {
                    self.hold(commit, flow, scratch);
                    continue;
                }
                flow
            };
            if let Some(ended) = ready!(self.end_turn(cx, scratch, flow))? {
                return Poll::Ready(Ok(ended));
            }
        }
    }

    /// Takes the replies out, until the partner has answered for the turn's writes. Apart from the
    /// loop, like the next, so that turns which wait for nobody do not pay for it.
    #[inline(never)]
    fn hold(&mut self, commit: Commit, flow: Flow, scratch: &mut Scratch) {
        let output = self.worker.hold_output(scratch);
        let store = &self.worker.node.store;
        self.held = Some(HeldTurn::new(commit, output, flow, store));
    }

    /// Brings the replies back once the partner has answered, and says what the turn ended with.
    #[inline(never)]
    fn poll_held(&mut self, cx: &Context<'_>, scratch: &mut Scratch) -> Poll<Flow> {
        if let Some(held) = &mut self.held {
            ready!(self.worker.poll_answered(&mut held.commit, cx));
        }
        let Some(mut held) = self.held.take() else {
            return Poll::Ready(Flow::NeedMore);
        };
        std::mem::swap(&mut scratch.output, &mut held.output);
        self.worker.recycle_held(held.output);
        Poll::Ready(held.flow)
    }

    /// Writes the replies of a turn, and does what it ended with. Pending if others are served
    /// first; `Some` if the connection is served no more.
    fn end_turn(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        flow: Flow,
    ) -> Poll<io::Result<Option<Option<Watcher>>>> {
        self.closing = matches!(flow, Flow::Close | Flow::Quit | Flow::Shutdown);
        if let Flow::Watch(events) = flow {
            if let Some(watcher) = Watcher::begin(&self.worker.node, events) {
                self.forget_input();
                return Poll::Ready(Ok(Some(Some(watcher))));
            }
            scratch.output.bytes.extend_from_slice(TOO_MANY_WATCHERS);
        }
        self.release(cx, scratch)?;
        self.note(flow);
        if let Flow::Yield | Flow::HandOver | Flow::Watch(_) = flow {
            // memcached prints statistics in the same turn, so that is not counted as a yield.
            if flow == Flow::Yield {
                self.worker.counters().conn_yields.count();
            }
            self.unexecuted = true;
            return yielded(cx);
        }
        if flow == Flow::Consult {
            self.begin_asking();
        }
        Poll::Ready(Ok(None))
    }

    /// Closes a TLS session properly.
    pub(crate) fn send_close(&mut self, cx: &mut Context<'_>) {
        self.stream.send_close(cx);
    }

    /// Sends the client the lines it watches, until it disconnects.
    pub(crate) async fn send_to(&mut self, watcher: Watcher) -> io::Result<()> {
        self.slot.entry.note(WaitState::Watch);
        watcher::serve(&mut self.stream, &watcher).await
    }

    fn execute_scratch(&mut self, scratch: &mut Scratch, len: usize) -> Flow {
        let input = std::mem::take(&mut scratch.input);
        let (used, flow) = self.execute(&input[..len], scratch);
        let rest = &input[used..len];
        if rest.is_empty() {
            // An idle connection owns no buffer.
            if self.tail.capacity() > 0 {
                self.tail = Vec::new();
            }
        } else {
            self.tail.clear();
            self.tail.extend_from_slice(rest);
        }
        scratch.input = input;
        flow
    }

    fn execute_tail(&mut self, scratch: &mut Scratch) -> Flow {
        let input = std::mem::take(&mut self.tail);
        let (used, flow) = self.execute(&input, scratch);
        let rest = &input[used..];
        if rest.len() < input.capacity() / 4 {
            // A large buffer is not kept for a small rest.
            self.tail = rest.to_vec();
        } else {
            self.tail = input;
            self.tail.drain(..used);
        }
        flow
    }

    fn execute(&mut self, input: &[u8], scratch: &mut Scratch) -> (usize, Flow) {
        let node = &*self.worker.node;
        self.slot.entry.note(WaitState::Parse);
        self.worker
            .update_observer(&mut scratch.context, &self.slot.entry);
        scratch.context.now = node.clock.now();
        if node.store.flush_if_due(scratch.context.now).is_some() {
            node.wake_link();
        }
        let mut ctx = CommandContext {
            store: &node.store,
            op: &mut scratch.context,
            counters: self.worker.counters(),
            prefixes: &node.prefixes,
            spent_bytes: 0,
            output_bytes_max: self.worker.turn_output_bytes(),
        };
        let requests_max = self.worker.requests_per_turn;
        // What is settled ends with this turn, even if everything is known by now.
        let consults = node.store.consults() || self.consultation.has_settled();
        if consults {
            std::mem::swap(&mut ctx.op.consultation, &mut self.consultation);
        }
        let ran = self
            .frontend
            .run(input, &mut ctx, &mut scratch.output, node, requests_max);
        if consults || ran.1 == Flow::Consult {
            self.keep_consultation(&mut scratch.context, ran.1);
        }
        if ran.0 > 0 {
            self.slot.entry.note_command(scratch.context.now.boot_ms);
        }
        ran
    }

    /// Records how a turn ended.
    fn note(&self, flow: Flow) {
        match flow {
            Flow::Quit => self.slot.entry.note_close(CloseReason::Normal),
            Flow::NeedMore => self.note_waiting(),
            Flow::Shutdown => self.slot.entry.note_close(CloseReason::Shutdown),
            Flow::Yield | Flow::HandOver | Flow::Consult if self.write_queue.is_some() => {
                self.note_waiting();
            }
            Flow::Yield | Flow::HandOver | Flow::Consult | Flow::Watch(_) | Flow::Close => {}
        }
    }

    fn note_waiting(&self) {
        let state = if self.write_queue.is_some() {
            WaitState::Write
        } else {
            self.frontend.waits_for(&self.tail)
        };
        self.slot.entry.note(state);
    }

    /// Writes the replies of a turn. What the socket does not take goes to the write queue.
    fn release(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> io::Result<()> {
        if scratch.output.is_empty() {
            return Ok(());
        }
        let counters = self.worker.counters();
        counters.bytes_written.add(scratch.output.len() as u64);
        let sent = match super::write_queue::poll_send(&scratch.output, 0, &mut self.stream, cx)? {
            Ok(()) => {
                scratch.recycle_output();
                return Ok(());
            }
            Err(sent) => sent,
        };
        let output = scratch.output.detach();
        let store = &self.worker.node.store;
        self.write_queue = Some(WriteQueue::new(output, sent, store));
        store.free_and_evict(&mut scratch.context);
        self.worker.node.send_changes(&mut scratch.context);
        Ok(())
    }
}

/// Yields until the runtime has polled the other clients' sockets. Merely waking this task would
/// run it before that: the runtime polls sockets when it has nothing else to do, or after many
/// tasks.
fn yielded<T>(cx: &mut Context<'_>) -> Poll<T> {
    let turn = std::pin::pin!(tokio::task::yield_now());
    // The first poll registers the waker with the runtime, and is never ready.
    let _ = turn.poll(cx);
    Poll::Pending
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.log().disconnected(&self.slot.entry);
    }
}
