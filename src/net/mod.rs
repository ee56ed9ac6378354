//! Client sockets: acceptor, workers and connections. No other part of the crate touches them.

mod acceptor;
mod commit;
mod commit_queue;
mod connection;
mod connection_slot;
mod handshake;
mod handshakes;
mod idle;
mod listener;
mod serve_client;
mod socket_file;
mod stream;
#[cfg(test)]
mod tests;
mod watcher;
mod worker;
mod worker_context;
mod write_queue;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::process::{Signal, getpid, kill_process};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch::Receiver as Gate;

pub(crate) use listener::BindError;

use crate::config::Config;
use crate::node::Node;
use listener::Bound;

/// Sockets that are bound and do not listen yet.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<Bound>);

impl Listeners {
    /// Binds every address of the configuration.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub(crate) fn bind(config: &Config) -> Result<Self, BindError> {
        listener::bind(config).map(Self)
    }

    /// The addresses, as logs show them.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.0.iter().map(Bound::address).collect()
    }
}

/// A running server. Dropping it stops nothing; see [`Server::stop`].
pub(crate) struct Server {
    acceptor: JoinHandle<io::Result<()>>,
    housekeeping: JoinHandle<()>,
    watch: JoinHandle<()>,
    /// Housekeeping and watch end when it is dropped.
    run: crossbeam_channel::Sender<()>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts all threads. The client port opens when `gate` becomes true.
    ///
    /// # Errors
    /// The system refuses a thread or a reactor.
    pub(crate) fn start(
        node: &Arc<Node>,
        listeners: Listeners,
        gate: Gate<bool>,
    ) -> io::Result<Self> {
        let mut workers = Vec::new();
        let mut senders = Vec::new();
        for index in 0..node.workers.len() {
            let (sender, handle) = worker::start(Arc::clone(node), index)?;
            senders.push(sender);
            workers.push(handle);
        }
        let acceptor_node = Arc::clone(node);
        let acceptor = std::thread::Builder::new().name("acceptor".to_owned());
        let acceptor = acceptor.spawn(move || {
            let built = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            let ended = built.and_then(|runtime| {
                let accepting = acceptor::accept(acceptor_node, senders, listeners.0, gate);
                runtime.block_on(accepting)
            });
            if let Err(error) = &ended {
                tracing::error!(%error, "the client port cannot be opened; the node stops");
                stop_process();
            }
            ended
        })?;
        let (run, stop) = crossbeam_channel::bounded(1);
        let housekeeping = crate::node::housekeeping::start(Arc::clone(node), stop.clone())?;
        let watch = crate::node::watch::start(Arc::clone(node), stop)?;
        Ok(Self {
            acceptor,
            housekeeping,
            watch,
            run,
            workers,
        })
    }

    /// Waits for all threads to end. The gate's sender must be dropped before: that ends them.
    ///
    /// # Errors
    /// The client port could not be opened.
    pub(crate) fn stop(self) -> io::Result<()> {
        drop(self.run);
        let accepted = self.acceptor.join();
        let threads = [self.housekeeping, self.watch].into_iter();
        let ends = threads.chain(self.workers).map(JoinHandle::join);
        let panics = ends.filter(Result::is_err).count() + usize::from(accepted.is_err());
        for _ in 0..panics {
            tracing::error!("a thread panicked before the stop");
        }
        accepted.unwrap_or(Ok(()))
    }
}

/// Stops the process: a node without a client port must not look alive to its supervisor.
fn stop_process() {
    if let Err(error) = kill_process(getpid(), Signal::USR1) {
        tracing::error!(%error, "the stop cannot be signalled; send SIGTERM");
    }
}
