//! The state that the connections of one worker share.

use std::cell::RefCell;
use std::sync::Arc;

use super::commit_queue::CommitQueue;
use super::handshakes::Handshakes;
use super::idle::IdleTimeout;
use crate::config::REQUESTS_PER_EVENT_DEFAULT;
use crate::frontend::Output;
use crate::limits::{
    OUTPUT_KEPT_BYTES, SCRATCH_BYTES, TURN_OUTPUT_BYTES, TURN_OUTPUT_SCARCE_BYTES, TURN_REQUESTS,
};
use crate::node::Node;
use crate::node::connections::Entry;
use crate::node::watch::EventLog;
use crate::protocol::text::Events;
use crate::stats::WorkerCounters;
use crate::store::{Observer, OpContext};

/// See the module.
pub(crate) struct WorkerContext {
    pub(crate) node: Arc<Node>,
    index: usize,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) requests_per_turn: u32,
    pub(crate) handshakes: Handshakes,
    /// Writes that wait for the partner; `None` if none do.
    pub(crate) commits: Option<CommitQueue>,
    /// `None`: connections never time out.
    pub(crate) idle: Option<IdleTimeout>,
}

/// Buffers used within one poll. No connection keeps them across polls.
pub(crate) struct Scratch {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Output,
    pub(crate) context: OpContext,
}

impl Scratch {
    /// Prepares the buffers for a turn. The turn before may have ended in an error or a panic, and
    /// its replies must not reach another client.
    pub(crate) fn begin_turn(&mut self, node: &Node) {
        if !self.output.is_empty() {
            self.output.clear();
        }
        if self.input.len() != SCRATCH_BYTES {
            self.input.resize(SCRATCH_BYTES, 0);
        }
        if self.context.has_changes() || !self.context.promoted.is_empty() {
            node.send_changes(&mut self.context);
        }
    }

    /// Clears the replies, and frees a buffer that has grown large.
    pub(crate) fn recycle_output(&mut self) {
        if self.output.bytes.capacity() > OUTPUT_KEPT_BYTES {
            self.output = Output::default();
        }
        self.output.clear();
    }
}

impl WorkerContext {
    pub(super) fn new(node: Arc<Node>, index: usize) -> Self {
        // memcached's default is too small for pipelines, so it means ours; any other number is
        // used.
        let requests_per_turn = match node.config.client.requests_per_event {
            REQUESTS_PER_EVENT_DEFAULT => TURN_REQUESTS,
            asked => u32::try_from(asked).unwrap_or(u32::MAX).max(1),
        };
        Self {
            commits: CommitQueue::of_worker(&node, index),
            requests_per_turn,
            handshakes: Handshakes::default(),
            idle: node.config.client.idle_timeout.map(IdleTimeout::new),
            node,
            index,
            scratch: RefCell::new(Scratch {
                input: vec![0; SCRATCH_BYTES],
                output: Output::default(),
                context: OpContext::default(),
            }),
        }
    }

    /// The event log of this worker.
    pub(crate) fn log(&self) -> &Arc<EventLog> {
        self.node.watch.log(self.index)
    }

    /// Sets or removes the observer for the commands of this client, as the watchers require.
    pub(crate) fn update_observer(&self, context: &mut OpContext, client: &Entry) {
        let events = self.node.watch.events();
        if events != Events::default() || context.observer.is_some() {
            self.set_observer(context, client, events);
        }
    }

    #[cold]
    fn set_observer(&self, context: &mut OpContext, client: &Entry, events: Events) {
        self.log().set_client(client.fd);
        context.observer = events
            .meets(Events::ITEMS)
            .then(|| Arc::clone(self.log()) as Arc<dyn Observer>);
    }

    /// The bytes of replies a turn may make: fewer while clients leave much unread.
    pub(crate) fn turn_output_bytes(&self) -> usize {
        if self.node.store.is_output_scarce() {
            TURN_OUTPUT_SCARCE_BYTES
        } else {
            TURN_OUTPUT_BYTES
        }
    }

    pub(crate) fn counters(&self) -> &WorkerCounters {
        &self.node.workers[self.index]
    }
}
