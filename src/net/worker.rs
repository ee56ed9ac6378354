//! A worker: one thread with a runtime of its own and one task per connection. No work is stolen.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::commit::{self, CommitQueue};
use super::connection::Connection;
use super::connection_slot::{AcceptedConnection, ConnectionSlot};
use super::handshake::{self, Handshakes};
use super::idle::{self, IdleTimeout};
use super::stream::{ClientSocket, Stream};
use crate::config::REQUESTS_PER_EVENT_DEFAULT;
use crate::frontend::Output;
use crate::limits::{
    OUTPUT_KEPT_BYTES, SCRATCH_BYTES, TURN_OUTPUT_BYTES, TURN_OUTPUT_SCARCE_BYTES, TURN_REQUESTS,
};
use crate::logs::Repeated;
use crate::node::Node;
use crate::node::connections::Entry;
use crate::node::watch::EventLog;
use crate::protocol::text::Events;
use crate::stats::WorkerCounters;
use crate::store::{Observer, OpContext};

/// The state that the connections of one worker share.
#[derive(Debug)]
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
#[derive(Debug)]
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
    fn new(node: Arc<Node>, index: usize) -> Self {
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

/// Starts a worker. It serves the connections it receives, and ends when the sender is dropped.
pub(crate) fn start(
    node: Arc<Node>,
    index: usize,
) -> io::Result<(mpsc::Sender<AcceptedConnection>, JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel(node.config.client.connections_max.max(1));
    let thread = std::thread::Builder::new().name(format!("worker-{index}"));
    let runtime_is_up = std::sync::mpsc::sync_channel(1);
    let (up, is_up) = runtime_is_up;
    let handle = thread.spawn(move || {
        let built = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        let runtime = match built {
            Ok(runtime) => {
                let _ = up.send(Ok(()));
                runtime
            }
            Err(error) => {
                let _ = up.send(Err(error));
                return;
            }
        };
        runtime.block_on(serve(Rc::new(WorkerContext::new(node, index)), receiver));
    })?;
    is_up
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("a worker ended at its start")))?;
    Ok((sender, handle))
}

async fn serve(worker: Rc<WorkerContext>, mut accepted: mpsc::Receiver<AcceptedConnection>) {
    if worker.idle.is_some() {
        tokio::task::spawn_local(idle::keep_sweeping(Rc::clone(&worker)));
    }
    if worker.commits.is_some() {
        tokio::task::spawn_local(commit::run(Rc::clone(&worker)));
    }
    let mut unregistered = Repeated::new();
    while let Some(AcceptedConnection { socket, slot }) = accepted.recv().await {
        let entry = Arc::clone(&slot.entry);
        let task = match (socket, slot.options.tls) {
            (ClientSocket::Tcp(socket), Some(policy)) => {
                handshake::begin(&worker, socket, policy, slot)
            }
            (socket, _) => match socket.register() {
                Ok(stream) => {
                    if let Some(suppressed) = unregistered.resolved() {
                        tracing::info!(suppressed, "connections can be registered again");
                    }
                    let conversation = serve_client(stream, slot, Rc::clone(&worker));
                    tokio::task::spawn_local(conversation).abort_handle()
                }
                Err(error) => {
                    if let Some(suppressed) = unregistered.log_now(Instant::now()) {
                        tracing::warn!(
                            %error,
                            suppressed,
                            "a connection could not be registered and was closed; raise the limit \
                             of files or lower -c"
                        );
                    }
                    continue;
                }
            },
        };
        entry.set_task(task.clone());
        if let Some(idle) = &worker.idle {
            idle.watch(&entry, task);
        }
    }
}

/// Serves a client until either side ends the connection.
pub(crate) async fn serve_client(stream: Stream, slot: ConnectionSlot, worker: Rc<WorkerContext>) {
    let speaks_tls = matches!(stream, Stream::Tls(_));
    let fd = slot.entry.fd;
    let mut connection = Connection::new(stream, slot, Rc::clone(&worker));
    tracing::trace!("a client connected");
    let mut ended = poll_fn(|cx| connection.poll_serve(cx)).await;
    if let Ok(Some(watcher)) = ended {
        ended = connection.send_to(watcher).await.map(|()| None);
    }
    poll_fn(|cx| {
        connection.send_close(cx);
        Poll::Ready(())
    })
    .await;
    match ended {
        Ok(_) => tracing::trace!("a client left"),
        // Many TLS clients disconnect without close_notify.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::trace!("a client left");
        }
        Err(error) => {
            if speaks_tls {
                worker.log().tls_failed(fd, &error);
            }
            if error
                .get_ref()
                .is_some_and(|cause| cause.is::<rustls::Error>())
            {
                worker.node.counters.ssl_proto_errors.count_shared();
            }
            tracing::trace!(%error, "a connection broke");
        }
    }
}
