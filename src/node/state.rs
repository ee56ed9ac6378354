//! The state that all threads of a running node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::connections::Registry;
use super::watch::Watch;
use crate::auth::Access;
use crate::config::{Config, Tuning};
use crate::frontend::control::{ControlReply, ServerControl};
use crate::frontend::crawler::Crawler;
use crate::limits::VERSION_ANSWERED;
use crate::protocol::text::Admin;
use crate::replication::change_queue::ChangeSender;
use crate::stats::{NodeCounters, NodeView, Prefixes, WorkerCounters};
use crate::store::{Clock, Observer, OpContext, Store};
use crate::tls::ClientTls;

/// A running node.
pub struct Node {
    /// The configuration of its start.
    pub config: Config,
    /// The users of its clients.
    pub access: Access,
    /// TLS for clients, if it is on.
    pub tls: Option<Arc<ClientTls>>,
    /// Its items.
    pub store: Arc<Store>,
    /// Its clocks.
    pub clock: Clock,
    /// The counters of each worker.
    pub workers: Vec<WorkerCounters>,
    /// The counters of the node.
    pub counters: NodeCounters,
    /// The counters of `stats detail`.
    pub prefixes: Prefixes,
    /// The queue of changes for the link; `None` on a standalone node.
    pub change_queue: Option<ChangeSender>,
    /// Prints `stats replication`.
    pub replication_stats: ReplicationStats,
    pub(crate) registry: Registry,
    pub(crate) watch: Watch,
    pub(crate) verbosity: AtomicU32,
    /// Settings that clients may change while the node runs.
    pub(crate) tuning: Mutex<Tuning>,
    pub(crate) crawler: Arc<Crawler>,
    started_boot_ms: u64,
}

/// Prints the lines of `stats replication`.
type ReplicationStatsFn = dyn Fn(&mut Vec<u8>) + Send + Sync;

/// How a node prints `stats replication`.
pub struct ReplicationStats(pub Box<ReplicationStatsFn>);

impl Node {
    /// A node without passwords, with its store and, in a pair, the change queue to the link.
    pub fn new(
        config: Config,
        store: Arc<Store>,
        change_queue: Option<ChangeSender>,
        replication_stats: ReplicationStats,
    ) -> Self {
        let clock = Clock::new();
        let threads = config.client.threads;
        let watch = Watch::new(
            threads,
            config.client.worker_logbuf_size,
            config.client.watcher_logbuf_size,
        );
        store.set_background_observer(Arc::clone(watch.log(threads)) as Arc<dyn Observer>);
        Self {
            workers: (0..threads).map(|_| WorkerCounters::default()).collect(),
            counters: NodeCounters::default(),
            prefixes: Prefixes::new(config.client.prefix_delimiter, config.client.detail),
            registry: Registry::default(),
            watch,
            verbosity: AtomicU32::new(u32::from(config.node.verbosity)),
            tuning: Mutex::new(config.tuning.clone()),
            crawler: Arc::default(),
            started_boot_ms: clock.now().boot_ms,
            config,
            access: Access::default(),
            tls: None,
            store,
            clock,
            change_queue,
            replication_stats,
        }
    }

    /// Sends the changes in a context to the link; a standalone node drops them.
    pub fn send_changes(&self, context: &mut OpContext) {
        let flushed = std::mem::take(&mut context.flushed);
        context.large.clear();
        match &self.change_queue {
            Some(change_queue) => {
                change_queue.send(&mut context.dirty);
                change_queue.send_promotions(&mut context.promoted);
                if flushed {
                    change_queue.wake();
                }
            }
            None => {
                context.dirty.clear();
                context.promoted.clear();
            }
        }
    }

    /// Wakes the link after a flush, which changes no key.
    pub fn wake_link(&self) {
        if let Some(change_queue) = &self.change_queue {
            change_queue.wake();
        }
    }

    fn view(&self) -> NodeView<'_> {
        let (crawls, is_crawling) = self.crawler.counts();
        NodeView {
            config: &self.config,
            store: &self.store,
            workers: &self.workers,
            counters: &self.counters,
            prefixes: &self.prefixes,
            now: self.clock.now(),
            started_boot_ms: self.started_boot_ms,
            verbosity: self.verbosity.load(Ordering::Relaxed),
            tls_refreshed_boot_ms: self.tls.as_ref().map(|tls| tls.refreshed_boot_ms()),
            tuning: self.tuning.lock().clone(),
            crawls,
            is_crawling,
        }
    }
}

impl ServerControl for Node {
    fn takes_flush_all(&self) -> bool {
        self.config.client.flush_all
    }

    fn stats(&self, args: &[&[u8]], out: &mut Vec<u8>) {
        let view = self.view();
        let others = crate::stats::StatSources {
            replication: &self.replication_stats.0,
            connections: &|out| self.registry.print(view.now.boot_ms, out),
        };
        crate::stats::answer(&view, &others, args, out);
    }

    fn dumps_keys(&self) -> bool {
        self.config.client.dumps
    }

    fn administer(&self, command: Admin, follows_replies: bool) -> ControlReply {
        self.carry_out(command, follows_replies)
    }

    fn version(&self) -> &str {
        VERSION_ANSWERED
    }

    fn access(&self) -> &Access {
        &self.access
    }
}
