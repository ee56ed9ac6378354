//! A worker: one thread with a runtime of its own and one task per connection. No work is stolen.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::commit;
use super::connection_slot::AcceptedConnection;
use super::handshake;
use super::serve_client::serve_client;
use super::stream::ClientSocket;
use super::worker_context::WorkerContext;
use crate::limits::IDLE_SWEEP_MS;
use crate::logs::Repeated;
use crate::node::Node;

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
        tokio::task::spawn_local(close_idle_clients(Rc::clone(&worker)));
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

/// Sweeps as long as the worker runs.
async fn close_idle_clients(worker: Rc<WorkerContext>) {
    let Some(idle) = &worker.idle else { return };
    loop {
        tokio::time::sleep(Duration::from_millis(IDLE_SWEEP_MS)).await;
        let ended = idle.sweep(worker.node.clock.now().boot_ms);
        worker.counters().idle_kicks.add(ended);
    }
}
